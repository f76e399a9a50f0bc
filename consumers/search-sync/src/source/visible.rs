//! Waiting until the source shows a change.
//!
//! Postgres writes a commit to its log, where the connector reads it, before it lets others see the transaction. The gap
//! is microseconds as a rule, and as long as a standby's answer takes with synchronous replication. A document computed
//! inside it would lack the very change that asked for it.

use std::time::Duration;

use runtime::Fault;
use sqlx::{AssertSqlSafe, PgPool};

use super::Aggregate;
use crate::memory::{Tick, Written};

const PAUSE: Duration = Duration::from_millis(5);
const ATTEMPTS: u32 = 200;

/// A table whose rows have versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Merchant,
    Category,
}

/// Transactions that had begun when a change was missed. When all of them are over, the change is visible, or was undone
/// by a restore of the source.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    begun_below: Option<i64>,
    over: bool,
    attempts: u32,
}

impl Horizon {
    /// Call when a change is not seen. Answers true when it never will be: every transaction that could have made it was
    /// over before the last look. Else look again; fails when that was done often enough.
    pub(crate) async fn is_passed(&mut self, source: &PgPool) -> Result<bool, Fault> {
        if self.over {
            return Ok(true);
        }
        let begun_below = match self.begun_below {
            Some(number) => number,
            // a number of its own, because a snapshot's bound lies below transactions that run and have had no successor
            None => sqlx::query_scalar("select pg_current_xact_id()::text::bigint").fetch_one(source).await?,
        };
        self.begun_below = Some(begun_below);
        let oldest: i64 = sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            .fetch_one(source)
            .await?;
        self.over = oldest >= begun_below;
        self.attempts += 1;
        if self.attempts > ATTEMPTS {
            let reason = "commerce does not show a committed change yet: a transaction hangs in its commit".to_owned();
            return Err(Fault::Unavailable { reason, retry_after: None });
        }
        if !self.over {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }
}

/// Waits until each of these rows shows the version that its change has, or is sure not to.
pub(crate) async fn wait_for(source: &PgPool, table: Table, rows: &[(i64, Option<i64>)]) -> Result<(), Fault> {
    let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
    let name = match table {
        Table::Merchant => "merchant",
        Table::Category => "category",
    };
    let mut horizon = Horizon::default();
    loop {
        let found: Vec<(i64, i64)> =
            sqlx::query_as(AssertSqlSafe(format!("select id, version from {name} where id = any($1)")))
                .bind(&ids)
                .fetch_all(source)
                .await?;
        let found: std::collections::HashMap<i64, i64> = found.into_iter().collect();
        let seen = |(id, version): &(i64, Option<i64>)| match version {
            Some(version) => found.get(id).is_some_and(|found| found >= version),
            None => !found.contains_key(id),
        };
        if rows.iter().all(seen) || horizon.is_passed(source).await? {
            return Ok(());
        }
    }
}

impl Aggregate {
    /// What the index will be computed from, read from the snapshot of this tick.
    pub(crate) fn written(&self, tick: Tick) -> Written {
        Written {
            tick,
            product: (self.id, self.version),
            variants: self.variants.iter().map(|variant| (variant.id, variant.version)).collect(),
            merchant: (self.merchant.id, self.merchant.version),
            categories: self.categories.iter().map(|category| (category.id, category.version)).collect(),
        }
    }
}
