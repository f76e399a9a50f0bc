//! A replication slot in the source's database: how much of the log it holds back.

/// A slot as Postgres sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Slot {
    /// Is a connector reading from it now?
    pub active: bool,
    /// Bytes of the log that the connector has not confirmed: how far behind it is.
    pub behind: i64,
    /// Bytes of the log that the slot keeps on disk.
    pub retained: i64,
    /// `reserved`, `extended`, `unreserved` or `lost`: a lost slot has lost changes.
    pub wal_status: Option<String>,
    /// Bytes that may still be written before the slot is in danger of being lost; none without a limit.
    pub safe_wal: Option<i64>,
}

/// Reads a slot; none when there is no such slot. Any role may.
pub async fn read(database: impl sqlx::PgExecutor<'_>, name: &str) -> Result<Option<Slot>, sqlx::Error> {
    sqlx::query_as(
        "select active,
                coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint as behind,
                coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint as retained,
                wal_status, safe_wal_size as safe_wal
         from pg_replication_slots
         where slot_name = $1",
    )
    .bind(name)
    .fetch_optional(database)
    .await
}

/// Drops a slot that nobody reads. What it had not delivered is gone from it: only a new snapshot brings it back.
pub async fn drop(database: impl sqlx::PgExecutor<'_>, name: &str) -> Result<bool, sqlx::Error> {
    let dropped = sqlx::query(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active",
    )
    .bind(name)
    .execute(database)
    .await?;
    Ok(dropped.rows_affected() == 1)
}
