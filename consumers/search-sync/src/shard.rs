//! The lock under which a product is read and imported: of all workers in all processes, one at a time per shard of
//! product ids. It lives in `backbone` and as long as its transaction. Within a process, shards are reserved first, so
//! that no connection and no permit is held by somebody who waits for a neighbour.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use runtime::Fault;
use runtime::verdict::Verdict;
use sqlx::PgPool;
use sqlx::postgres::PgTransaction;
use tokio::sync::Notify;

use crate::beside;

/// How many locks there are. A batch of a thousand products needs most of them whatever their number; a single change
/// needs one, and rarely another's.
pub(crate) const SHARDS: i32 = 256;

/// The shard of a product.
pub(crate) fn of(product: i64) -> i32 {
    i32::try_from(spread(product) % u64::from(SHARDS.unsigned_abs())).unwrap_or_default()
}

/// Spreads ids that differ in few bits over all 64 (the finalizer of `SplitMix64`).
pub(crate) fn spread(id: i64) -> u64 {
    let mut bits = id.cast_unsigned();
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The shards of these products, ascending, each once.
pub(crate) fn all_of(products: impl Iterator<Item = i64>) -> Vec<i32> {
    let mut shards: Vec<i32> = products.map(of).collect();
    shards.sort_unstable();
    shards.dedup();
    shards
}

/// Which shards are being worked on in this process.
pub(crate) struct Reservations {
    busy: Mutex<Vec<bool>>,
    freed: Notify,
}

/// Shards that nobody else in this process works on, until this is dropped.
pub(crate) struct Reserved<'r> {
    shards: Vec<i32>,
    of: &'r Reservations,
}

impl Reservations {
    pub(crate) fn new() -> Self {
        Self { busy: Mutex::new(vec![false; SHARDS.unsigned_abs() as usize]), freed: Notify::new() }
    }

    /// Waits until all of these shards are free at once. Nobody holds some while waiting for others.
    pub(crate) async fn reserve(&self, shards: Vec<i32>) -> Reserved<'_> {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // registered before the look, so that what is freed in between is noticed
            freed.as_mut().enable();
            if self.mark(&shards) {
                return Reserved { shards, of: self };
            }
            freed.await;
        }
    }

    fn mark(&self, shards: &[i32]) -> bool {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let free = shards.iter().all(|shard| busy.get(index(*shard)) == Some(&false));
        if free {
            for shard in shards {
                busy[index(*shard)] = true;
            }
        }
        free
    }
}

impl Reserved<'_> {
    pub(crate) fn shards(&self) -> &[i32] {
        &self.shards
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut busy = self.of.busy.lock().unwrap_or_else(PoisonError::into_inner);
        for shard in &self.shards {
            busy[index(*shard)] = false;
        }
        drop(busy);
        self.of.freed.notify_waiters();
    }
}

fn index(shard: i32) -> usize {
    usize::try_from(shard).unwrap_or_default()
}

/// Locks that are held.
pub(crate) struct Held {
    transaction: PgTransaction<'static>,
    index: String,
}

/// Takes the locks of these shards, which ascend so that two workers cannot wait for each other. `idle` is how long the
/// holder may be busy elsewhere before the server takes them away.
pub(crate) async fn take(backbone: &PgPool, index: &str, shards: &[i32], idle: Duration) -> Result<Held, Fault> {
    let mut transaction = backbone.begin().await?;
    sqlx::query(
        "select set_config('idle_in_transaction_session_timeout', $1, true), set_config('lock_timeout', '30s', true),
                set_config('statement_timeout', '60s', true)",
    )
    .bind(format!("{}ms", idle.as_millis()))
    .execute(&mut *transaction)
    .await?;
    // a function in the select list is called once a row, and unnest gives the array's order
    sqlx::query("select pg_advisory_xact_lock(hashtext('search-sync/' || $1), s) from unnest($2::int[]) s")
        .bind(index)
        .bind(shards)
        .execute(&mut *transaction)
        .await?;
    Ok(Held { transaction, index: index.to_owned() })
}

impl Held {
    /// Whether the session that holds the locks still lives, and which collection is to be written beside the searched one.
    /// Asked right before each import: whoever fills a collection beside takes the same locks after its row was written, so
    /// a chunk that does not see the row yet is done before the products are read for that collection.
    pub(crate) async fn check(&mut self) -> Result<Option<String>, Fault> {
        let beside = sqlx::query_scalar("select collection from reindex where alias = $1")
            .bind(&self.index)
            .fetch_optional(&mut *self.transaction)
            .await?;
        Ok(beside)
    }

    /// What became of a write beside. Only an engine that is not ready holds up the searched collection; any other failure is
    /// noted, and keeps the collection beside from taking its place.
    pub(crate) async fn beside(&mut self, collection: &str, done: Result<Option<String>, Fault>) -> Result<(), Fault> {
        let reason = match done {
            Ok(None) => return Ok(()),
            Ok(Some(reason)) => reason,
            Err(fault) if fault.verdict() == Verdict::Retry => return Err(fault),
            Err(fault) => fault.to_string(),
        };
        tracing::warn!(collection, reason, "a write to the collection that is being filled failed");
        beside::blame(&mut *self.transaction, &self.index, collection, &reason).await?;
        Ok(())
    }

    /// Gives the locks back; an error says that they were lost before, at a time unknown.
    pub(crate) async fn release(self) -> Result<(), Fault> {
        Ok(self.transaction.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_ids_fall_into_all_shards() {
        let mut counts = [0; SHARDS as usize];
        for id in 0..25_600 {
            counts[usize::try_from(of(7_200_000_000_000_000_000 + id * 4096)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }

    #[tokio::test]
    async fn a_reserved_shard_is_waited_for_and_another_is_not() {
        let reservations = Reservations::new();
        let first = reservations.reserve(vec![1, 2]).await;
        let other = reservations.reserve(vec![3]).await;
        let mut second = Box::pin(reservations.reserve(vec![2, 4]));
        assert!(futures::poll!(&mut second).is_pending());
        drop(other);
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await.shards(), [2, 4]);
    }

    #[test]
    fn shards_ascend_and_are_named_once() {
        let shards = all_of((0..5_000).chain(0..5_000));
        assert!(shards.is_sorted() && shards.len() == SHARDS as usize);
    }
}
