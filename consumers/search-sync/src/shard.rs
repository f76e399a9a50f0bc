//! The lock under which a product is read and imported: of all workers in all processes, one at a time per shard of
//! product ids. It lives in `backbone` and as long as its transaction.

use std::time::Duration;

use runtime::Fault;
use sqlx::postgres::PgTransaction;
use sqlx::PgPool;

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

/// Locks that are held.
pub(crate) struct Held {
    transaction: PgTransaction<'static>,
}

/// Takes the locks of these shards, in ascending order so that two workers cannot wait for each other. `idle` is how
/// long the holder may be busy elsewhere before the server takes them away.
pub(crate) async fn take(backbone: &PgPool, index: &str, shards: &[i32], idle: Duration) -> Result<Held, Fault> {
    let mut shards = shards.to_vec();
    shards.sort_unstable();
    shards.dedup();
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
        .bind(&shards)
        .execute(&mut *transaction)
        .await?;
    Ok(Held { transaction })
}

impl Held {
    /// Whether the session that holds the locks still lives. Asked right before each import.
    pub(crate) async fn check(&mut self) -> Result<(), Fault> {
        sqlx::query("select 1").execute(&mut *self.transaction).await?;
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
}
