//! The statements that read aggregates.

use shell::{Page, Problem, Scope};
use sqlx::{PgExecutor, QueryBuilder};

use super::{Product, list::Filter};
use crate::list;

/// Products (`p`) with their variants, of merchants (`m`) that are not deleted. A deleted product shows the variants that
/// were deleted with it.
macro_rules! aggregates {
    ($($rest:literal)?) => {
        concat!(
            "select p.*, coalesce((
                 select json_agg(v order by v.position, v.id) from variant v
                 where v.product_id = p.id and v.deleted_at is not distinct from p.deleted_at), '[]') as variants
             from product p join merchant m on m.id = p.merchant_id and m.deleted_at is null ",
            $($rest)?
        )
    };
}

/// A product that is in scope and not deleted.
pub(super) async fn find(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    id: i64,
) -> Result<Option<Product>, sqlx::Error> {
    sqlx::query_as(aggregates!(
        "where p.id = $1 and p.deleted_at is null and ($2 or m.created_by = $3 or m.id = any($4))"
    ))
    .bind(id)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}

/// A product that is in scope, locked; deleted or not, as asked.
pub(super) async fn lock(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    id: i64,
    deleted: bool,
) -> Result<Option<Product>, sqlx::Error> {
    sqlx::query_as(aggregates!(
        "where p.id = $1 and (p.deleted_at is not null) = $2 and ($3 or m.created_by = $4 or m.id = any($5))
         for update of p for key share of m"
    ))
    .bind(id)
    .bind(deleted)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}

/// A product by its id alone, after a write of the same transaction.
pub(super) async fn reread(executor: impl PgExecutor<'_>, id: i64) -> Result<Product, sqlx::Error> {
    sqlx::query_as(aggregates!("where p.id = $1")).bind(id).fetch_one(executor).await
}

/// The products of one page.
pub(super) async fn list(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Product>, Problem> {
    let mut query = QueryBuilder::new(aggregates!("where true"));
    list::push_deleted(&mut query, "p.deleted_at", filter.deleted.unwrap_or_default());
    list::push_scope(&mut query, "m", scope);
    list::push_equal(&mut query, "p.merchant_id", filter.merchant_id.map(|id| id.0));
    list::push_equal(&mut query, "p.category_id", filter.category_id.map(|id| id.0));
    list::push_equal(&mut query, "p.kind", filter.kind);
    list::push_equal(&mut query, "p.status", filter.status);
    list::push_equal(&mut query, "p.slug", filter.slug.clone());
    if let Some(name) = &filter.name {
        query.push(" and p.name ilike ").push_bind(list::prefix(name));
    }
    if let Some(sku) = &filter.sku {
        query
            .push(" and exists (select from variant v where v.product_id = p.id and v.deleted_at is null and v.sku = ");
        query.push_bind(sku.clone()).push(")");
    }
    if let Some(barcode) = &filter.barcode {
        query.push(
            " and exists (select from variant v where v.product_id = p.id and v.deleted_at is null and v.barcode = ",
        );
        query.push_bind(barcode.clone()).push(")");
    }
    filter.sort.unwrap_or_default().push(&mut query, "p", page)?;
    Ok(query.build_query_as().fetch_all(executor).await?)
}
