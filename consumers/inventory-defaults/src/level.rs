//! `stock_level`: a level for each variant at its merchant's default location. No statement here writes the quantity of a
//! level that is there.

use std::collections::HashSet;

use runtime::guard::{self, Guarded, Turn};
use runtime::{Fault, Outcome, Planned};
use sqlx::PgConnection;

use crate::REMOVED;
use crate::decide::Plan;

/// What is written here, as the guard knows it.
const TARGET: &str = "stock_level";

/// A variant of a batch that stands.
pub(crate) struct Stocked<'b> {
    pub(crate) planned: &'b Planned<Plan>,
    pub(crate) variant_id: i64,
    pub(crate) product_id: i64,
    pub(crate) merchant_id: i64,
}

/// A variant of a batch that is gone.
pub(crate) struct Retired<'b> {
    pub(crate) planned: &'b Planned<Plan>,
    pub(crate) variant_id: i64,
}

/// Puts writers of a variant that has no level yet in order.
///
/// Writers of a level that is there meet in its row. A delete of a variant without one leaves a tombstone, and a writer that
/// makes the level at the same moment would see neither the other's: so such a delete (rare: created and deleted before it
/// was ever seen) waits for all others and they for it, and all others go side by side. Levels are never removed, so one
/// that was there before the lock is there after it. Held until the transaction ends.
pub(crate) async fn order_writers(connection: &mut PgConnection, retired: &[Retired<'_>]) -> Result<(), Fault> {
    let ids: Vec<i64> = retired.iter().map(|variant| variant.variant_id).collect();
    let alone: bool = !ids.is_empty()
        && sqlx::query_scalar(
            "select exists (select from unnest($1::bigint[]) v (id)
              where not exists (select from stock_level s join location l on l.id = s.location_id
                                 where s.variant_id = v.id and l.is_default))",
        )
        .bind(&ids)
        .fetch_one(&mut *connection)
        .await?;
    guard::take_turn(connection, TARGET, if alone { Turn::Alone } else { Turn::Shared }).await?;
    Ok(())
}

/// Locks every level of the batch's variants, in the order of their key.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    stocked: &[Stocked<'_>],
    retired: &[Retired<'_>],
) -> Result<(), Fault> {
    let ids = stocked.iter().map(|v| v.variant_id).chain(retired.iter().map(|v| v.variant_id)).collect::<Vec<_>>();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "select from stock_level where variant_id = any($1) order by location_id, variant_id for no key update",
    )
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes or brings back the level of each variant at its merchant's default location, and brings back its others.
pub(crate) async fn stock(
    connection: &mut PgConnection,
    stocked: &[Stocked<'_>],
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    if stocked.is_empty() {
        return Ok(());
    }
    let guarded = Guarded::of(stocked.iter().map(|variant| variant.planned));
    let rows: Vec<(i64, bool, bool)> = sqlx::query_as(STOCK)
        .bind(stocked.iter().map(|variant| variant.variant_id).collect::<Vec<_>>())
        .bind(stocked.iter().map(|variant| variant.product_id).collect::<Vec<_>>())
        .bind(stocked.iter().map(|variant| variant.merchant_id).collect::<Vec<_>>())
        .bind(&guarded.positions.epochs)
        .bind(&guarded.positions.commit_lsns)
        .bind(&guarded.positions.lsns)
        .bind(&guarded.entities)
        .fetch_all(connection)
        .await?;
    for (variant, placed, written) in rows {
        if !placed {
            return Err(Fault::Refused(format!(
                "the merchant of variant {variant} has locations but none is its default: make one the default, then \
                 release the change"
            )));
        }
        outcome.count(if written { Outcome::APPLIED } else { Outcome::SUPERSEDED }, &variant.to_string());
    }
    Ok(())
}

const STOCK: &str = "
with incoming as (
    select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::int[], $5::bigint[], $6::bigint[], $7::text[])
        as i (variant_id, product_id, merchant_id, epoch, commit_lsn, lsn, entity)
), placed as (
    select i.*, l.id as location_id
      from incoming i join location l on l.merchant_id = i.merchant_id and l.is_default
), alive as (
    select * from placed p
     where not exists (select from cdc.tombstone d where d.target = 'stock_level' and d.entity = p.entity
                          and (d.epoch, d.commit_lsn, d.lsn) > (p.epoch, p.commit_lsn, p.lsn))
), elsewhere as (
    update stock_level t
       set product_id = a.product_id, deleted_at = null,
           version = t.version + ((t.product_id, t.deleted_at) is distinct from (a.product_id, null))::int,
           updated_at = case when (t.product_id, t.deleted_at) is distinct from (a.product_id, null)
                             then now() else t.updated_at end,
           cdc_epoch = a.epoch, cdc_commit_lsn = a.commit_lsn, cdc_lsn = a.lsn
      from alive a
     where t.variant_id = a.variant_id and t.location_id <> a.location_id
       and (a.epoch, a.commit_lsn, a.lsn) >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)
), written as (
    insert into stock_level as t (location_id, variant_id, merchant_id, product_id, quantity, version, created_at,
                                  updated_at, deleted_at, cdc_epoch, cdc_commit_lsn, cdc_lsn)
    select location_id, variant_id, merchant_id, product_id, 0, 1, now(), now(), null, epoch, commit_lsn, lsn
      from alive order by location_id, variant_id
    on conflict (location_id, variant_id) do update
       set product_id = excluded.product_id, deleted_at = null,
           version = t.version + ((t.product_id, t.deleted_at) is distinct from (excluded.product_id, null))::int,
           updated_at = case when (t.product_id, t.deleted_at) is distinct from (excluded.product_id, null)
                             then now() else t.updated_at end,
           cdc_epoch = excluded.cdc_epoch, cdc_commit_lsn = excluded.cdc_commit_lsn, cdc_lsn = excluded.cdc_lsn
     where (excluded.cdc_epoch, excluded.cdc_commit_lsn, excluded.cdc_lsn) >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)
    returning variant_id
)
select i.variant_id, p.variant_id is not null as placed, w.variant_id is not null as written
  from incoming i left join placed p using (variant_id) left join written w using (variant_id)";

/// Marks every level of each variant deleted, and leaves the positions behind for those that have no level yet.
pub(crate) async fn retire(
    connection: &mut PgConnection,
    retired: &[Retired<'_>],
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    if retired.is_empty() {
        return Ok(());
    }
    let guarded = Guarded::of(retired.iter().map(|variant| variant.planned));
    guard::bury(&mut *connection, TARGET, &guarded).await?;
    let newer: HashSet<i64> = sqlx::query_scalar(RETIRE)
        .bind(retired.iter().map(|variant| variant.variant_id).collect::<Vec<_>>())
        .bind(&guarded.positions.epochs)
        .bind(&guarded.positions.commit_lsns)
        .bind(&guarded.positions.lsns)
        .fetch_all(connection)
        .await?
        .into_iter()
        .collect();
    for variant in retired {
        let superseded = newer.contains(&variant.variant_id);
        outcome.count(if superseded { Outcome::SUPERSEDED } else { REMOVED }, variant.planned.entity.key());
    }
    Ok(())
}

/// Answers the variants that a newer change has written since: those of which some level was not touched.
const RETIRE: &str = "
with incoming as (
    select * from unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) as i (variant_id, epoch, commit_lsn, lsn)
), written as (
    update stock_level t
       set deleted_at = coalesce(t.deleted_at, now()), version = t.version + (t.deleted_at is null)::int,
           updated_at = case when t.deleted_at is null then now() else t.updated_at end,
           cdc_epoch = i.epoch, cdc_commit_lsn = i.commit_lsn, cdc_lsn = i.lsn
      from incoming i
     where t.variant_id = i.variant_id
       and (i.epoch, i.commit_lsn, i.lsn) >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)
)
select distinct i.variant_id
  from incoming i join stock_level t using (variant_id)
 where (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn) > (i.epoch, i.commit_lsn, i.lsn)";
