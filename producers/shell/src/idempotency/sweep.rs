//! Forgetting keys that nobody will repeat.

use std::time::Duration;

use metrics::counter;
use platform::metric;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::store;

/// For how long an answer can be replayed.
pub const KEPT: Duration = Duration::from_hours(24);

const PAUSE: Duration = Duration::from_mins(10);

/// Deletes answers older than `kept`, a thousand at a time; says how many.
///
/// # Errors
/// When the database does not answer; what was deleted before stays deleted.
pub async fn sweep(pool: &PgPool, kept: Duration) -> Result<u64, sqlx::Error> {
    let mut all = 0;
    loop {
        let deleted = store::delete_older(pool, kept.as_secs_f64()).await?;
        all += deleted;
        if deleted < 1000 {
            return Ok(all);
        }
    }
}

/// Sweeps every ten minutes until `stop`.
pub(crate) async fn keep_sweeping(pool: PgPool, service: &'static str, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        match sweep(&pool, KEPT).await {
            Ok(swept) => counter!(metric::IDEMPOTENCY_SWEPT, "service" => service).increment(swept),
            Err(error) => tracing::warn!(%error, "could not sweep old idempotency keys; trying again later"),
        }
    }
}
