//! The statements that write an aggregate: each writes product, variants and prices at once, children by one UNNEST.
//! Fewer round trips are what makes the rate.

use shell::Scope;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::{PgExecutor, Postgres};
use time::OffsetDateTime;

use super::Variant;
use super::draft::Draft;

/// What a write of an aggregate found and did. It wrote nothing unless all three were found.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Written {
    pub(super) has_merchant: bool,
    pub(super) has_category: bool,
    pub(super) has_image: bool,
    pub(super) slug: Option<String>,
    pub(super) at: OffsetDateTime,
}

/// The variants as columns.
#[derive(Default)]
struct Columns {
    ids: Vec<i64>,
    skus: Vec<String>,
    barcodes: Vec<Option<String>>,
    names: Vec<String>,
    units: Vec<String>,
    prices: Vec<i64>,
    costs: Vec<Option<i64>>,
    attributes: Vec<String>,
    defaults: Vec<bool>,
    positions: Vec<i32>,
}

impl Columns {
    fn of(variants: &[Variant]) -> Self {
        let mut columns = Self::default();
        for variant in variants {
            columns.ids.push(variant.id.0);
            columns.skus.push(variant.sku.clone());
            columns.barcodes.push(variant.barcode.clone());
            columns.names.push(variant.name.clone());
            columns.units.push(variant.unit.clone());
            columns.prices.push(variant.price);
            columns.costs.push(variant.cost);
            columns.attributes.push(serde_json::to_string(&variant.attributes).unwrap_or_else(|_| "{}".to_owned()));
            columns.defaults.push(variant.is_default);
            columns.positions.push(variant.position);
        }
        columns
    }
}

type Query<'q> = QueryAs<'q, Postgres, Written, PgArguments>;

/// Binds $1 to $24: ids, the product's fields and the variants' columns, the same for both statements.
fn bind<'q>(query: Query<'q>, id: i64, merchant_id: i64, by: i64, draft: &'q Draft) -> Query<'q> {
    let columns = Columns::of(&draft.variants);
    query
        .bind(id)
        .bind(merchant_id)
        .bind(draft.category_id)
        .bind(draft.image_id)
        .bind(draft.kind)
        .bind(&draft.name)
        .bind(&draft.slug)
        .bind(draft.slug_is_made)
        .bind(&draft.description)
        .bind(draft.status)
        .bind(draft.industry_group)
        .bind(draft.vat_class)
        .bind(by)
        .bind(columns.ids)
        .bind(columns.skus)
        .bind(columns.barcodes)
        .bind(columns.names)
        .bind(columns.units)
        .bind(columns.prices)
        .bind(columns.costs)
        .bind(columns.attributes)
        .bind(columns.defaults)
        .bind(columns.positions)
}

/// The SQL of [`insert`], for the benchmark that runs it with pgbench.
pub const INSERT: &str = "
with target as (
    select m.id from merchant m
    where m.id = $2 and m.deleted_at is null and ($24 or m.created_by = $25 or m.id = any($26))
    for key share
), shelf as (
    select c.id from category c where c.merchant_id = $2 and c.id = $3 and c.deleted_at is null for key share
), picture as (
    select i.id from media i where i.merchant_id = $2 and i.id = $4 and i.deleted_at is null for key share
), added as (
    insert into product (id, merchant_id, category_id, image_id, kind, name, slug, description, status, industry_group,
        vat_class, created_by, version, created_at, updated_at, deleted_at)
    select $1, t.id, $3, $4, $5, $6,
        case when $8 and exists (
            select from product p where p.merchant_id = $2 and p.slug = $7 and p.deleted_at is null)
        then $7 || '-' || ($1 % 1000000) else $7 end,
        $9, $10, $11, $12, $13, 1, now(), now(), null
    from target t
    where ($3::bigint is null or exists (select from shelf)) and ($4::bigint is null or exists (select from picture))
    returning id, slug
), children as (
    insert into variant (id, product_id, merchant_id, sku, barcode, name, unit, price, cost, attributes, is_default,
        position, created_by, version, created_at, updated_at, deleted_at)
    select n.id, a.id, $2, n.sku, n.barcode, n.name, n.unit, n.price, n.cost, n.attributes::jsonb, n.is_default,
        n.position, $13, 1, now(), now(), null
    from added a cross join unnest($14::bigint[], $15::text[], $16::text[], $17::text[], $18::text[], $19::bigint[],
        $20::bigint[], $21::text[], $22::boolean[], $23::integer[])
        as n (id, sku, barcode, name, unit, price, cost, attributes, is_default, position)
    returning id, price, cost
), prices as (
    insert into price (variant_id, product_version, merchant_id, amount, cost, set_by, set_at)
    select c.id, 1, $2, c.price, c.cost, $13, now() from children c
)
select exists (select from target) as has_merchant,
    ($3::bigint is null or exists (select from shelf)) as has_category,
    ($4::bigint is null or exists (select from picture)) as has_image,
    (select slug from added) as slug, now() as at";

/// Inserts a product at version 1 with its variants and their first prices, if the merchant is in scope.
pub(super) async fn insert(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    (id, merchant_id, by): (i64, i64, i64),
    draft: &Draft,
) -> Result<Written, sqlx::Error> {
    bind(sqlx::query_as(INSERT), id, merchant_id, by, draft)
        .bind(scope.is_all())
        .bind(scope.created_by())
        .bind(scope.merchants().to_vec())
        .fetch_one(executor)
        .await
}

const REWRITE: &str = "
with shelf as (
    select c.id from category c where c.merchant_id = $2 and c.id = $3 and c.deleted_at is null for key share
), picture as (
    select i.id from media i where i.merchant_id = $2 and i.id = $4 and i.deleted_at is null for key share
), target as (
    select p.id, p.version + 1 as version from product p
    where p.id = $1 and ($3::bigint is null or p.category_id = $3 or exists (select from shelf))
        and ($4::bigint is null or p.image_id = $4 or exists (select from picture))
), before as (
    select v.id, v.price, v.cost from variant v where v.product_id = $1 and v.deleted_at is null
), given as (
    select * from unnest($14::bigint[], $15::text[], $16::text[], $17::text[], $18::text[], $19::bigint[],
        $20::bigint[], $21::text[], $22::boolean[], $23::integer[])
        as n (id, sku, barcode, name, unit, price, cost, attributes, is_default, position)
), changed as (
    update product p set category_id = $3, image_id = $4, kind = $5, name = $6,
        slug = case when $8 and exists (
            select from product o where o.merchant_id = $2 and o.slug = $7 and o.deleted_at is null and o.id <> $1)
        then $7 || '-' || ($1 % 1000000) else $7 end,
        description = $9, status = $10, industry_group = $11, vat_class = $12, version = t.version, updated_at = now()
    from target t where p.id = t.id
    returning p.slug
), updated as (
    update variant v set sku = n.sku, barcode = n.barcode, name = n.name, unit = n.unit, price = n.price, cost = n.cost,
        attributes = n.attributes::jsonb, is_default = n.is_default, position = n.position, version = t.version,
        updated_at = now()
    from given n cross join target t
    where v.id = n.id and v.product_id = t.id and v.deleted_at is null
        and (v.sku, v.barcode, v.name, v.unit, v.price, v.cost, v.attributes, v.is_default, v.position)
            is distinct from
            (n.sku, n.barcode, n.name, n.unit, n.price, n.cost, n.attributes::jsonb, n.is_default, n.position)
), added as (
    insert into variant (id, product_id, merchant_id, sku, barcode, name, unit, price, cost, attributes, is_default,
        position, created_by, version, created_at, updated_at, deleted_at)
    select n.id, t.id, $2, n.sku, n.barcode, n.name, n.unit, n.price, n.cost, n.attributes::jsonb, n.is_default,
        n.position, $13, t.version, now(), now(), null
    from given n cross join target t where not exists (select from before b where b.id = n.id)
    returning id
), prices as (
    insert into price (variant_id, product_version, merchant_id, amount, cost, set_by, set_at)
    select n.id, t.version, $2, n.price, n.cost, $13, now()
    from given n cross join target t left join before b on b.id = n.id
    where b.id is null or (b.price, b.cost) is distinct from (n.price, n.cost)
)
select true as has_merchant,
    ($3::bigint is null or exists (select from shelf)
        or exists (select from product p where p.id = $1 and p.category_id = $3)) as has_category,
    ($4::bigint is null or exists (select from picture)
        or exists (select from product p where p.id = $1 and p.image_id = $4)) as has_image,
    (select slug from changed) as slug, now() as at";

/// Writes a product that is locked under its next version, and its variants: those that it has are updated (only where
/// something changed), others are added. Those that are to go were deleted by [`prune`] before.
pub(super) async fn rewrite(
    executor: impl PgExecutor<'_>,
    (id, merchant_id, by): (i64, i64, i64),
    draft: &Draft,
) -> Result<Written, sqlx::Error> {
    bind(sqlx::query_as(REWRITE), id, merchant_id, by, draft).fetch_one(executor).await
}

/// Deletes the variants that are not `kept`, and takes the default from any but `default`, so that the statement after
/// it meets no name that is about to be free.
pub(super) async fn prune(
    executor: impl PgExecutor<'_>,
    id: i64,
    kept: &[i64],
    default: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update variant v set deleted_at = case when v.id = any($2) then null else now() end,
             is_default = v.is_default and v.id = $3, version = p.version + 1, updated_at = now()
         from product p
         where p.id = $1 and v.product_id = p.id and v.deleted_at is null
           and (not v.id = any($2) or (v.is_default and v.id <> $3))",
    )
    .bind(id)
    .bind(kept)
    .bind(default)
    .execute(executor)
    .await?;
    Ok(())
}
