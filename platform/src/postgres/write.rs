//! The rule by which writes run: to their end, whatever happens to whoever waits for them.
//!
//! sqlx 0.9.0 can lose acknowledged writes. When the future that awaits `pool.begin()` is dropped (axum drops a handler
//! whose client went away; `timeout` and `select!` drop the loser), the connection can go back to the pool inside an
//! open transaction, and later statements on it answer but are never committed (upstream issues 4385 and 4393). So
//! everything that begins a transaction runs in a task of its own, which a dropped waiter does not cancel.

use std::pin::Pin;

use sqlx::{PgPool, PgTransaction};
use tracing::Instrument;

/// A future on the heap, as closures over a transaction return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Runs a future to its end in a task of its own, in the caller's tracing span. Dropping the returned future does not
/// stop it. A panic in it goes on in the caller.
pub async fn uninterrupted<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(future.in_current_span()).await {
        Ok(output) => output,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Nobody holds an abort handle, so the runtime itself is going down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// One transaction, uninterrupted: begins, runs `work`, commits when it answers `Ok`, rolls back when it answers `Err`.
///
/// ```no_run
/// # async fn example(pool: &sqlx::PgPool) -> Result<(), sqlx::Error> {
/// platform::postgres::write(pool, move |transaction| Box::pin(async move {
///     sqlx::query("delete from basket").execute(&mut **transaction).await?;
///     Ok::<_, sqlx::Error>(())
/// })).await
/// # }
/// ```
///
/// # Errors
/// What `work` answers, or the failure to begin or commit.
pub async fn write<T, E, W>(pool: &PgPool, work: W) -> Result<T, E>
where
    T: Send + 'static,
    E: From<sqlx::Error> + Send + 'static,
    W: for<'t> FnOnce(&'t mut PgTransaction<'static>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
{
    let pool = pool.clone();
    uninterrupted(async move {
        let mut transaction = pool.begin().await?;
        match work(&mut transaction).await {
            Ok(output) => {
                transaction.commit().await?;
                Ok(output)
            }
            Err(error) => {
                // Awaited, so that the locks are gone before the caller has its answer.
                if let Err(rollback) = transaction.rollback().await {
                    tracing::debug!(error = %rollback, "the rollback failed; the server rolls back by itself");
                }
                Err(error)
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_dropped_waiter_does_not_stop_the_work() {
        let (done, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(tokio::sync::Notify::new()));
        let finished = Arc::new(tokio::sync::Notify::new());
        let work = uninterrupted({
            let (done, gate, finished) = (done.clone(), gate.clone(), finished.clone());
            async move {
                gate.notified().await;
                done.store(true, Ordering::SeqCst);
                finished.notify_one();
            }
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
        gate.notify_one();
        finished.notified().await;
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    #[should_panic(expected = "boom")]
    async fn a_panic_reaches_the_waiter() {
        uninterrupted(async { panic!("boom") }).await;
    }
}
