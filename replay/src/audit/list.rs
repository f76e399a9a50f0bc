//! Entries, newest first.

use sqlx::PgExecutor;

use super::{Entry, entry};

/// The newest entries: of one consumer, or of all.
pub async fn list(executor: impl PgExecutor<'_>, subject: Option<&str>, at_most: i64) -> sqlx::Result<Vec<Entry>> {
    let rows = sqlx::query("select * from audit where $1::text is null or subject = $1 order by id desc limit $2")
        .bind(subject)
        .bind(at_most)
        .fetch_all(executor)
        .await?;
    rows.iter().map(entry).collect()
}
