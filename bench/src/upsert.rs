//! Writes the target as merchant-tax does: guarded by position, tombstones for what is deleted, the frontier beside. And the same
//! without any of that, to measure what it costs.

use runtime::guard::{self, Guarded};
use runtime::{Batch, Fault, Outcome, Planned, frontier};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{PgConnection, PgPool, Postgres};

use crate::row::{Plan, Variant};

/// The target's table: the source's 13 columns and the guard's three.
pub(crate) const TABLE: &str = "create table variant (
    id bigint primary key, product_id bigint not null, merchant_id bigint not null, sku text not null, name text not null,
    price bigint not null, cost bigint not null, tax_code text not null, barcode text, attributes jsonb not null,
    created_at timestamptz not null, updated_at timestamptz not null, deleted_at timestamptz,
    cdc_epoch integer not null, cdc_commit_lsn bigint not null, cdc_lsn bigint not null)";

/// The same without the guard's columns.
pub(crate) const BARE_TABLE: &str = "drop table variant; create table variant (
    id bigint primary key, product_id bigint not null, merchant_id bigint not null, sku text not null, name text not null,
    price bigint not null, cost bigint not null, tax_code text not null, barcode text, attributes jsonb not null,
    created_at timestamptz not null, updated_at timestamptz not null, deleted_at timestamptz)";

const BARE_UPSERT: &str = "
insert into variant (id, product_id, merchant_id, sku, name, price, cost, tax_code, barcode, attributes,
                     created_at, updated_at, deleted_at)
select id, product_id, merchant_id, sku, name, price, cost, tax_code, barcode, attributes::jsonb,
       created_at, updated_at, deleted_at
  from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[],
              $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[])
    as i (id, product_id, merchant_id, sku, name, price, cost, tax_code, barcode, attributes,
          created_at, updated_at, deleted_at)
on conflict (id) do update
   set product_id = excluded.product_id, merchant_id = excluded.merchant_id, sku = excluded.sku, name = excluded.name,
       price = excluded.price, cost = excluded.cost, tax_code = excluded.tax_code, barcode = excluded.barcode,
       attributes = excluded.attributes, created_at = excluded.created_at, updated_at = excluded.updated_at,
       deleted_at = excluded.deleted_at";

const UPSERT: &str = "
insert into variant as t (id, product_id, merchant_id, sku, name, price, cost, tax_code, barcode, attributes,
                          created_at, updated_at, deleted_at, cdc_epoch, cdc_commit_lsn, cdc_lsn)
select id, product_id, merchant_id, sku, name, price, cost, tax_code, barcode, attributes::jsonb,
       created_at, updated_at, deleted_at, cdc_epoch, cdc_commit_lsn, cdc_lsn
  from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[],
              $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
              $14::int[], $15::bigint[], $16::bigint[], $17::text[])
    as i (id, product_id, merchant_id, sku, name, price, cost, tax_code, barcode, attributes,
          created_at, updated_at, deleted_at, cdc_epoch, cdc_commit_lsn, cdc_lsn, entity)
 where not exists (select from cdc.tombstone d where d.target = 'variant' and d.entity = i.entity
                      and (d.epoch, d.commit_lsn, d.lsn) > (i.cdc_epoch, i.cdc_commit_lsn, i.cdc_lsn))
on conflict (id) do update
   set product_id = excluded.product_id, merchant_id = excluded.merchant_id, sku = excluded.sku, name = excluded.name,
       price = excluded.price, cost = excluded.cost, tax_code = excluded.tax_code, barcode = excluded.barcode,
       attributes = excluded.attributes, created_at = excluded.created_at, updated_at = excluded.updated_at,
       deleted_at = excluded.deleted_at, cdc_epoch = excluded.cdc_epoch, cdc_commit_lsn = excluded.cdc_commit_lsn,
       cdc_lsn = excluded.cdc_lsn
 where (excluded.cdc_epoch, excluded.cdc_commit_lsn, excluded.cdc_lsn) >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)";

/// Applies a batch in one transaction, with its mark.
pub(crate) async fn apply(target: &PgPool, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
    let mut transaction = target.begin().await?;
    let outcome = write(&mut transaction, batch).await?;
    if let Some(mark) = &batch.mark {
        frontier::write(&mut *transaction, batch.consumer, mark).await?;
    }
    transaction.commit().await?;
    Ok(outcome)
}

/// Applies a batch in one transaction, whatever its positions are, and leaves no mark.
pub(crate) async fn apply_bare(target: &PgPool, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
    let mut outcome = Outcome::default();
    let (kept, removed) = split(batch);
    let mut transaction = target.begin().await?;
    if !kept.is_empty() {
        let query = columns(sqlx::query(BARE_UPSERT), &kept);
        outcome.count_many(Outcome::APPLIED, query.execute(&mut *transaction).await?.rows_affected());
    }
    if !removed.is_empty() {
        let ids: Vec<i64> = removed.iter().map(|(_, id)| *id).collect();
        sqlx::query("delete from variant where id = any($1)").bind(ids).execute(&mut *transaction).await?;
        outcome.count_many("removed", removed.len() as u64);
    }
    transaction.commit().await?;
    Ok(outcome)
}

type Kept<'b> = Vec<(&'b Planned<Plan>, &'b Variant)>;
type Removed<'b> = Vec<(&'b Planned<Plan>, i64)>;

fn split(batch: &Batch<Plan>) -> (Kept<'_>, Removed<'_>) {
    let (mut kept, mut removed) = (Vec::with_capacity(batch.plans.len()), Vec::new());
    for planned in &batch.plans {
        match &planned.plan {
            Plan::Keep(variant) => kept.push((planned, &**variant)),
            Plan::Remove(id) => removed.push((planned, *id)),
        }
    }
    (kept, removed)
}

/// Writes what is planned.
pub(crate) async fn write(connection: &mut PgConnection, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
    let mut outcome = Outcome::default();
    let (kept, removed) = split(batch);
    if !kept.is_empty() {
        let written = upsert(connection, &kept).await?;
        outcome.count_many(Outcome::APPLIED, written);
        outcome.count_many(Outcome::SUPERSEDED, (kept.len() as u64).saturating_sub(written));
    }
    if !removed.is_empty() {
        remove(connection, &removed).await?;
        outcome.count_many("removed", removed.len() as u64);
    }
    Ok(outcome)
}

async fn upsert(connection: &mut PgConnection, rows: &[(&Planned<Plan>, &Variant)]) -> sqlx::Result<u64> {
    let guarded = Guarded::of(rows.iter().map(|(planned, _)| *planned));
    let written = columns(sqlx::query(UPSERT), rows)
        .bind(&guarded.positions.epochs)
        .bind(&guarded.positions.commit_lsns)
        .bind(&guarded.positions.lsns)
        .bind(&guarded.entities)
        .execute(connection)
        .await?;
    Ok(written.rows_affected())
}

type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// The 13 columns.
fn columns<'q>(query: Statement<'q>, rows: &[(&Planned<Plan>, &Variant)]) -> Statement<'q> {
    let numbers = |column: fn(&Variant) -> i64| rows.iter().map(|(_, row)| column(row)).collect::<Vec<_>>();
    query
        .bind(numbers(|row| row.id))
        .bind(numbers(|row| row.product_id))
        .bind(numbers(|row| row.merchant_id))
        .bind(texts(rows, |row| row.sku.value().map(String::as_str)))
        .bind(texts(rows, |row| row.name.value().map(String::as_str)))
        .bind(numbers(|row| row.price))
        .bind(numbers(|row| row.cost))
        .bind(texts(rows, |row| row.tax_code.value().map(String::as_str)))
        .bind(texts(rows, |row| row.barcode.value().and_then(Option::as_deref)))
        .bind(texts(rows, |row| row.attributes.value().map(String::as_str)))
        .bind(rows.iter().map(|(_, row)| row.created_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.updated_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, row)| row.deleted_at).collect::<Vec<_>>())
}

fn texts<'r>(rows: &[(&Planned<Plan>, &'r Variant)], column: fn(&Variant) -> Option<&str>) -> Vec<Option<&'r str>> {
    rows.iter().map(|(_, row)| column(row)).collect()
}

async fn remove(connection: &mut PgConnection, removed: &[(&Planned<Plan>, i64)]) -> sqlx::Result<()> {
    let guarded = Guarded::of(removed.iter().map(|(planned, _)| *planned));
    guard::bury(&mut *connection, "variant", &guarded).await?;
    sqlx::query(
        "delete from variant t using unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) i (id, epoch, commit_lsn, lsn)
          where t.id = i.id and (i.epoch, i.commit_lsn, i.lsn) >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)",
    )
    .bind(removed.iter().map(|(_, id)| *id).collect::<Vec<_>>())
    .bind(&guarded.positions.epochs)
    .bind(&guarded.positions.commit_lsns)
    .bind(&guarded.positions.lsns)
    .execute(connection)
    .await?;
    Ok(())
}
