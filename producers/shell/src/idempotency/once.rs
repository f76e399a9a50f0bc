//! One effect for one key.

use metrics::counter;
use platform::metric;
use platform::postgres::{BoxFuture, Fault, uninterrupted};
use sqlx::{PgPool, PgTransaction};

use super::header::IdempotencyKey;
use super::store::{self, Found, Stored};
use crate::answer::Answer;
use crate::problem::Problem;

impl IdempotencyKey {
    /// Runs `work` in one transaction and stores its answer with it, or replays the answer that is stored. Runs to its
    /// end even when the caller goes away.
    ///
    /// # Errors
    /// 409 `IDEMPOTENCY_KEY_IN_USE` while a request with this key runs, 422 `IDEMPOTENCY_KEY_REUSED` when the key stands
    /// for another body, and what `work` answers; then nothing is stored.
    pub async fn once<W>(self, pool: &PgPool, work: W) -> Result<Answer, Problem>
    where
        W: for<'t> FnOnce(&'t mut PgTransaction<'static>) -> BoxFuture<'t, Result<Answer, Problem>> + Send + 'static,
    {
        let pool = pool.clone();
        uninterrupted(async move {
            match self.attempt(&pool, work).await {
                Ok(answer) => Ok(answer),
                Err(Failed::Overtaken(problem)) => match store::find(&pool, &self.scope).await? {
                    Some(stored) => self.replayed(stored),
                    None => Err(problem),
                },
                Err(Failed::Problem(problem)) => Err(problem),
            }
        })
        .await
    }

    async fn attempt<W>(&self, pool: &PgPool, work: W) -> Result<Answer, Failed>
    where
        W: for<'t> FnOnce(&'t mut PgTransaction<'static>) -> BoxFuture<'t, Result<Answer, Problem>> + Send,
    {
        let mut transaction = pool.begin().await?;
        match self.run(&mut transaction, work).await {
            Ok(answer) => {
                transaction.commit().await?;
                Ok(answer)
            }
            Err(failed) => {
                // Awaited, so that the lock is free before the caller has its answer and repeats the request.
                if let Err(error) = transaction.rollback().await {
                    tracing::debug!(%error, "the rollback failed; the server rolls back by itself");
                }
                Err(failed)
            }
        }
    }

    async fn run<W>(&self, transaction: &mut PgTransaction<'static>, work: W) -> Result<Answer, Failed>
    where
        W: for<'t> FnOnce(&'t mut PgTransaction<'static>) -> BoxFuture<'t, Result<Answer, Problem>> + Send,
    {
        match store::lock_and_find(&mut **transaction, &self.scope).await? {
            Found::Running => Err(in_use().into()),
            Found::Answered(stored) => Ok(self.replayed(stored)?),
            Found::Nothing => {
                let answer = work(transaction).await.map_err(Failed::Overtaken)?;
                store::insert(&mut **transaction, &self.scope, &self.fingerprint, &answer).await.map_err(|error| {
                    let taken = Fault::of(&error) == Fault::Conflict { constraint: store::PRIMARY_KEY.to_owned() };
                    if taken { Failed::Overtaken(in_use()) } else { error.into() }
                })?;
                Ok(answer)
            }
        }
    }

    fn replayed(&self, stored: Stored) -> Result<Answer, Problem> {
        if stored.fingerprint != self.fingerprint {
            let detail = "this Idempotency-Key was used for another request; use a new one";
            return Err(Problem::unprocessable("IDEMPOTENCY_KEY_REUSED", detail));
        }
        counter!(metric::IDEMPOTENCY_REPLAYS, "service" => self.service).increment(1);
        tracing::info!("replayed the answer that is stored under the idempotency key");
        Ok(stored.answer)
    }
}

fn in_use() -> Problem {
    let detail = "a request with this Idempotency-Key is running; repeat it in a moment to get its answer";
    Problem::conflict("IDEMPOTENCY_KEY_IN_USE", detail).retry_after(1)
}

enum Failed {
    /// Perhaps because a request with this key committed between our look and our lock (one statement sees what was
    /// committed before it began): its own slug is taken by itself. If so its answer is ours, and otherwise this is.
    Overtaken(Problem),
    Problem(Problem),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Problem(error.into())
    }
}
