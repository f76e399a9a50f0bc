//! Leases a replica number in the service's own database (table `snowflake_replica`, see
//! `producers/shell/sql/snowflake_replica.sql`).
//!
//! The database's clock decides when a lease ends. The holder counts from before it asked, on its monotonic clock, so
//! it stops making ids before anyone else can take the number.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{REPLICAS, Snowflake};

/// For how long a number is leased at a time.
pub const LEASE: Duration = Duration::from_mins(1);
const RENEW: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_secs(1);

/// Keeps a replica number leased until `stop`, then gives it back. Run it as a task; it never ends before `stop`.
/// `holder` names this process for whoever looks into the table.
pub async fn keep(pool: PgPool, snowflake: Snowflake, holder: String, stop: CancellationToken) {
    let (mut held, mut failures): (Option<u8>, u32) = (None, 0);
    loop {
        let pause = match step(&pool, &snowflake, &holder, &mut held).await {
            Ok(()) => {
                failures = 0;
                RENEW
            }
            Err(error) => {
                if failures.is_multiple_of(10) {
                    tracing::warn!(%error, "could not lease a snowflake replica number; trying again every second");
                }
                failures += 1;
                RETRY
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    if let Some(replica) = held {
        let last_ms = snowflake.last_ms();
        snowflake.let_go();
        if let Err(error) = give_back(&pool, replica, &holder, last_ms).await {
            tracing::debug!(%error, replica, "could not give the snowflake replica number back; it expires by itself");
        }
    }
}

/// Takes a number, or prolongs the one that is held.
async fn step(pool: &PgPool, snowflake: &Snowflake, holder: &str, held: &mut Option<u8>) -> Result<(), sqlx::Error> {
    let asked = Instant::now();
    if let Some(replica) = *held {
        if renew(pool, replica, holder, snowflake.last_ms()).await? {
            snowflake.hold(replica, Some(asked + LEASE), 0);
            return Ok(());
        }
        tracing::warn!(replica, "the snowflake replica number was taken by another process; taking a new one");
        snowflake.let_go();
        *held = None;
    }
    let (replica, floor_ms) = acquire(pool, holder).await?;
    snowflake.hold(replica, Some(asked + LEASE), floor_ms);
    *held = Some(replica);
    tracing::info!(replica, "leased snowflake replica number {replica}");
    Ok(())
}

/// Takes the lowest free number: never used, or expired. Answers it and the last millisecond its holders may have used.
///
/// # Errors
/// [`sqlx::Error::RowNotFound`] when all are taken.
pub async fn acquire(pool: &PgPool, holder: &str) -> Result<(u8, i64), sqlx::Error> {
    let (pool, holder) = (pool.clone(), holder.to_owned());
    let taken = crate::postgres::uninterrupted(async move {
        let mut transaction = pool.begin().await?;
        let taken = take_lowest(&mut transaction, &holder).await?;
        transaction.commit().await?;
        Ok::<_, sqlx::Error>(taken)
    });
    let (replica, floor_ms) = taken.await?;
    Ok((u8::try_from(replica).map_err(|error| sqlx::Error::Decode(error.into()))?, floor_ms))
}

async fn take_lowest(connection: &mut PgConnection, holder: &str) -> Result<(i16, i64), sqlx::Error> {
    // One at a time: without the lock, many processes that start together would all pick the same free number.
    sqlx::query("select pg_advisory_xact_lock(hashtext('snowflake_replica'))").execute(&mut *connection).await?;
    sqlx::query_as(
        "insert into snowflake_replica as held (replica, holder, leased_until, used_until_ms)
         select free.replica, $1, clock_timestamp() + make_interval(secs => $2), 0
         from generate_series(0, $3) as free (replica)
         where not exists (
             select 1 from snowflake_replica taken
             where taken.replica = free.replica and taken.leased_until > clock_timestamp())
         order by free.replica
         limit 1
         on conflict (replica) do update set
             holder = excluded.holder,
             leased_until = excluded.leased_until,
             used_until_ms = greatest(held.used_until_ms, (extract(epoch from held.leased_until) * 1000)::bigint)
         returning replica, used_until_ms",
    )
    .bind(holder)
    .bind(LEASE.as_secs_f64())
    .bind(i32::from(REPLICAS) - 1)
    .fetch_one(connection)
    .await
}

/// Prolongs a lease; `false` when another process has the number.
async fn renew(
    executor: impl sqlx::PgExecutor<'_>,
    replica: u8,
    holder: &str,
    last_ms: i64,
) -> Result<bool, sqlx::Error> {
    // A process whose clock runs ahead of the database's would use milliseconds beyond the end of the lease.
    let lease_ms = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    let renewed = sqlx::query(
        "update snowflake_replica
         set leased_until = clock_timestamp() + make_interval(secs => $3), used_until_ms = greatest(used_until_ms, $4)
         where replica = $1 and holder = $2",
    )
    .bind(i16::from(replica))
    .bind(holder)
    .bind(LEASE.as_secs_f64())
    .bind(if last_ms == 0 { 0 } else { last_ms + lease_ms })
    .execute(executor)
    .await?;
    Ok(renewed.rows_affected() == 1)
}

/// Ends a lease now, so that the next process has the number without waiting.
async fn give_back(
    executor: impl sqlx::PgExecutor<'_>,
    replica: u8,
    holder: &str,
    last_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update snowflake_replica set leased_until = clock_timestamp(), used_until_ms = greatest($3, used_until_ms)
         where replica = $1 and holder = $2",
    )
    .bind(i16::from(replica))
    .bind(holder)
    .bind(last_ms)
    .execute(executor)
    .await?;
    Ok(())
}
