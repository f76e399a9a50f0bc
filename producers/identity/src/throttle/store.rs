//! The counters, in Postgres: every replica counts together.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::decide::Count;

/// Counts one attempt and answers the count: one statement, so that a hundred attempts at once are counted as a
/// hundred. The first attempt after a window begins the next.
pub async fn count(
    executor: impl PgExecutor<'_>,
    kind: &str,
    subject: &[u8],
    now: OffsetDateTime,
    window_began_after: OffsetDateTime,
) -> sqlx::Result<Count> {
    sqlx::query_as(
        "insert into login_throttle as t (kind, subject, attempts, window_started_at)
         values ($1, $2, 1, $3)
         on conflict (kind, subject) do update set
             attempts = case when t.window_started_at <= $4 then 1 else least(t.attempts + 1, 1000000) end,
             window_started_at = case when t.window_started_at <= $4 then excluded.window_started_at
                                      else t.window_started_at end
         returning attempts, window_started_at",
    )
    .bind(kind)
    .bind(subject)
    .bind(now)
    .bind(window_began_after)
    .fetch_one(executor)
    .await
}

/// Takes attempts back, after the password was right.
pub async fn forgive(executor: impl PgExecutor<'_>, kind: &str, subject: &[u8], attempts: i32) -> sqlx::Result<()> {
    sqlx::query("update login_throttle set attempts = greatest(attempts - $3, 0) where kind = $1 and subject = $2")
        .bind(kind)
        .bind(subject)
        .bind(attempts)
        .execute(executor)
        .await?;
    Ok(())
}

/// Deletes counters whose window ended before this moment. Answers how many.
pub async fn sweep(executor: impl PgExecutor<'_>, before: OffsetDateTime) -> sqlx::Result<u64> {
    let swept = sqlx::query("delete from login_throttle where window_started_at < $1").bind(before);
    Ok(swept.execute(executor).await?.rows_affected())
}
