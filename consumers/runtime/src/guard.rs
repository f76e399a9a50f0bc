//! The replay guard of Postgres targets: a row carries the position of the change that wrote it, a deleted row leaves its
//! position in `cdc.tombstone`, and an older change never overwrites a newer one.

use std::collections::HashSet;

use schemas::position::Position;
use sqlx::PgExecutor;

use crate::consumer::Planned;

/// Positions in columns, as `unnest` takes them.
#[derive(Debug, Default)]
pub struct Positions {
    /// `cdc_epoch`.
    pub epochs: Vec<i32>,
    /// `cdc_commit_lsn`.
    pub commit_lsns: Vec<i64>,
    /// `cdc_lsn`.
    pub lsns: Vec<i64>,
}

impl Positions {
    /// An empty set with room for `capacity` positions.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            epochs: Vec::with_capacity(capacity),
            commit_lsns: Vec::with_capacity(capacity),
            lsns: Vec::with_capacity(capacity),
        }
    }

    /// Appends a position.
    pub fn push(&mut self, position: Position) {
        let (epoch, commit_lsn, lsn) = position.to_columns();
        self.epochs.push(epoch);
        self.commit_lsns.push(commit_lsn);
        self.lsns.push(lsn);
    }
}

/// Entities with their positions, in columns.
#[derive(Debug, Default)]
pub struct Guarded {
    /// The entities' text forms.
    pub entities: Vec<String>,
    /// Their positions.
    pub positions: Positions,
}

impl Guarded {
    /// The entities and positions of plans.
    pub fn of<'p, P: 'p>(plans: impl IntoIterator<Item = &'p Planned<P>>) -> Self {
        let plans = plans.into_iter();
        let (least, _) = plans.size_hint();
        let mut guarded = Self { entities: Vec::with_capacity(least), positions: Positions::with_capacity(least) };
        for planned in plans {
            guarded.entities.push(planned.entity.text());
            guarded.positions.push(planned.position);
        }
        guarded
    }
}

/// How a transaction that writes a target stands to others. What was read before somebody else's commit must not decide after it
/// (an insert that saw no tombstone, say), so a transaction that deletes runs alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// With others that only write rows.
    Shared,
    /// Alone.
    Alone,
}

/// Waits for the transaction's turn at a target. To be called before its first statement that reads.
pub async fn take_turn(executor: impl PgExecutor<'_>, target: &str, turn: Turn) -> sqlx::Result<()> {
    let statement = match turn {
        Turn::Shared => "select pg_advisory_xact_lock_shared(hashtext('sluice.guard'), hashtext($1))",
        Turn::Alone => "select pg_advisory_xact_lock(hashtext('sluice.guard'), hashtext($1))",
    };
    sqlx::query(statement).bind(target).execute(executor).await?;
    Ok(())
}

/// Leaves the positions of deleted entities behind, so that an older change cannot raise them from the dead; answers of which.
/// An entity that left a newer one is not among them. The rows themselves are deleted by the caller, in the same transaction.
pub async fn bury(executor: impl PgExecutor<'_>, target: &str, deleted: &Guarded) -> sqlx::Result<HashSet<String>> {
    let buried: Vec<String> = sqlx::query_scalar(
        "insert into cdc.tombstone (target, entity, epoch, commit_lsn, lsn)
         select $1, i.* from unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) i (entity, epoch, commit_lsn, lsn)
         on conflict (target, entity) do update
            set epoch = excluded.epoch, commit_lsn = excluded.commit_lsn, lsn = excluded.lsn, deleted_at = now()
          where (excluded.epoch, excluded.commit_lsn, excluded.lsn)
             >= (cdc.tombstone.epoch, cdc.tombstone.commit_lsn, cdc.tombstone.lsn)
         returning entity",
    )
    .bind(target)
    .bind(&deleted.entities)
    .bind(&deleted.positions.epochs)
    .bind(&deleted.positions.commit_lsns)
    .bind(&deleted.positions.lsns)
    .fetch_all(executor)
    .await?;
    Ok(buried.into_iter().collect())
}

/// Forgets tombstones that are older than any record that a topic still holds.
pub async fn sweep(executor: impl PgExecutor<'_>, older_than_days: i32) -> sqlx::Result<u64> {
    let swept = sqlx::query("delete from cdc.tombstone where deleted_at < now() - make_interval(days => $1)")
        .bind(older_than_days)
        .execute(executor)
        .await?;
    Ok(swept.rows_affected())
}
