//! `location`: the default one of each merchant, and what all of them know of their merchant.

use std::collections::{BTreeSet, HashSet};

use runtime::guard::Positions;
use runtime::{Fault, Outcome, Planned};
use sqlx::PgConnection;

use crate::REMOVED;
use crate::decide::Plan;

/// What a default location is called until its owner names it. Never written again.
const NAME: &str = "Kho mặc định";

/// A merchant of a batch.
pub(crate) struct Merchant<'b> {
    pub(crate) planned: &'b Planned<Plan>,
    pub(crate) id: i64,
    /// Not known of one that is gone: its change carries the key alone.
    pub(crate) created_by: Option<i64>,
    pub(crate) gone: bool,
}

/// Makes the default locations that are missing, each at the position before every change and with nobody as creator: the
/// merchant's own change fills it in, whenever it comes.
///
/// The location's id is the merchant's: unique among all ids (a snowflake carries its service's number, and merchants are
/// commerce's), and the same whoever makes it and however often. `do nothing` names no constraint on purpose: two workers
/// that make the same location at once may meet in either unique index, and the later one waits in both cases.
pub(crate) async fn ensure_defaults(
    connection: &mut PgConnection,
    merchants: impl Iterator<Item = i64>,
) -> Result<(), Fault> {
    let merchants: BTreeSet<i64> = merchants.collect();
    if merchants.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into location (id, merchant_id, name, is_default, created_by, version, created_at, updated_at,
                               deleted_at, cdc_epoch, cdc_commit_lsn, cdc_lsn)
         select m.id, m.id, $2, true, null, 1, now(), now(), null, 0, 0, 0
           from unnest($1::bigint[]) m (id)
          where not exists (select from location l where l.merchant_id = m.id and l.is_default)
          order by m.id
         on conflict do nothing",
    )
    .bind(merchants.into_iter().collect::<Vec<_>>())
    .bind(NAME)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes what is known of merchants into all of their locations, unless a newer change did.
pub(crate) async fn write(
    connection: &mut PgConnection,
    merchants: &[Merchant<'_>],
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    if merchants.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = merchants.iter().map(|merchant| merchant.id).collect();
    let mut positions = Positions::with_capacity(merchants.len());
    for merchant in merchants {
        positions.push(merchant.planned.position);
    }
    sqlx::query("select from location where merchant_id = any($1) order by merchant_id, id for no key update")
        .bind(&ids)
        .execute(&mut *connection)
        .await?;
    let written: HashSet<i64> = sqlx::query_scalar(WRITE)
        .bind(&ids)
        .bind(merchants.iter().map(|merchant| merchant.created_by).collect::<Vec<_>>())
        .bind(merchants.iter().map(|merchant| merchant.gone).collect::<Vec<_>>())
        .bind(&positions.epochs)
        .bind(&positions.commit_lsns)
        .bind(&positions.lsns)
        .fetch_all(connection)
        .await?
        .into_iter()
        .collect();
    for merchant in merchants {
        let became = match (written.contains(&merchant.id), merchant.gone) {
            (false, _) => Outcome::SUPERSEDED,
            (true, true) => REMOVED,
            (true, false) => Outcome::APPLIED,
        };
        outcome.count(became, merchant.planned.entity.key());
    }
    Ok(())
}

/// All locations of a merchant go with it, and those that went with it come back with it: they carry the very time of the
/// default location, which cannot be deleted otherwise. What was deleted before stays deleted.
/// The rows are locked, so what is read here is what is written over.
const WRITE: &str = "
with incoming as (
    select * from unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::int[], $5::bigint[], $6::bigint[])
        as i (merchant_id, created_by, gone, epoch, commit_lsn, lsn)
), wanted as (
    select t.id, coalesce(i.created_by, t.created_by) as created_by,
           case when i.gone then coalesce(t.deleted_at, now())
                when t.deleted_at = d.deleted_at then null
                else t.deleted_at end as deleted_at,
           i.epoch, i.commit_lsn, i.lsn
      from incoming i
      join location t using (merchant_id)
      left join location d on d.merchant_id = i.merchant_id and d.is_default
     where (i.epoch, i.commit_lsn, i.lsn) >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)
), compared as (
    select w.*, (t.created_by, t.deleted_at) is distinct from (w.created_by, w.deleted_at) as changed
      from wanted w join location t using (id)
)
update location t
   set created_by = c.created_by, deleted_at = c.deleted_at, version = t.version + c.changed::int,
       updated_at = case when c.changed then now() else t.updated_at end,
       cdc_epoch = c.epoch, cdc_commit_lsn = c.commit_lsn, cdc_lsn = c.lsn
  from compared c
 where t.id = c.id
returning t.merchant_id";
