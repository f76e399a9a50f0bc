//! The statements on `merchant`.

use shell::{Page, Problem, Scope};
use sqlx::{PgExecutor, QueryBuilder};

use super::{Merchant, list::Filter};
use crate::list;
use crate::value::DeletionPolicy;

/// Inserts a merchant at version 1.
pub(super) async fn insert(executor: impl PgExecutor<'_>, merchant: &Merchant) -> Result<Merchant, sqlx::Error> {
    sqlx::query_as(
        "insert into merchant (id, created_by, name, industry, taxpayer, tax_code, tax_name, tax_address, address_line,
             province_code, ward_code, phone, email, status, deletion_policy, version, created_at, updated_at, deleted_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 1, now(), now(), null)
         returning *",
    )
    .bind(merchant.id.0)
    .bind(merchant.owner_id.0)
    .bind(&merchant.name)
    .bind(merchant.industry)
    .bind(merchant.taxpayer)
    .bind(&merchant.tax_code)
    .bind(&merchant.tax_name)
    .bind(&merchant.tax_address)
    .bind(&merchant.address_line)
    .bind(&merchant.province_code)
    .bind(&merchant.ward_code)
    .bind(&merchant.phone)
    .bind(&merchant.email)
    .bind(merchant.status)
    .bind(merchant.deletion_policy)
    .fetch_one(executor)
    .await
}

/// Writes every field of a merchant that is locked, under the next version.
pub(super) async fn update(executor: impl PgExecutor<'_>, merchant: &Merchant) -> Result<Merchant, sqlx::Error> {
    sqlx::query_as(
        "update merchant set name = $2, industry = $3, taxpayer = $4, tax_code = $5, tax_name = $6, tax_address = $7,
             address_line = $8, province_code = $9, ward_code = $10, phone = $11, email = $12, status = $13,
             deletion_policy = $14, version = version + 1, updated_at = now()
         where id = $1
         returning *",
    )
    .bind(merchant.id.0)
    .bind(&merchant.name)
    .bind(merchant.industry)
    .bind(merchant.taxpayer)
    .bind(&merchant.tax_code)
    .bind(&merchant.tax_name)
    .bind(&merchant.tax_address)
    .bind(&merchant.address_line)
    .bind(&merchant.province_code)
    .bind(&merchant.ward_code)
    .bind(&merchant.phone)
    .bind(&merchant.email)
    .bind(merchant.status)
    .bind(merchant.deletion_policy)
    .fetch_one(executor)
    .await
}

/// A merchant that is in scope and not deleted.
pub(super) async fn find(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    id: i64,
) -> Result<Option<Merchant>, sqlx::Error> {
    sqlx::query_as(
        "select m.* from merchant m
         where m.id = $1 and m.deleted_at is null and ($2 or m.created_by = $3 or m.id = any($4))",
    )
    .bind(id)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}

/// Whether a merchant is in scope and not deleted. It cannot be deleted until the transaction ends.
pub(crate) async fn is_visible(executor: impl PgExecutor<'_>, scope: &Scope, id: i64) -> Result<bool, sqlx::Error> {
    let seen: Option<i64> = sqlx::query_scalar(
        "select m.id from merchant m
         where m.id = $1 and m.deleted_at is null and ($2 or m.created_by = $3 or m.id = any($4))
         for key share",
    )
    .bind(id)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await?;
    Ok(seen.is_some())
}

/// What a DELETE in a merchant does when the caller does not say.
pub(crate) async fn deletion_policy(executor: impl PgExecutor<'_>, id: i64) -> Result<DeletionPolicy, sqlx::Error> {
    sqlx::query_scalar("select deletion_policy from merchant where id = $1").bind(id).fetch_one(executor).await
}

/// A merchant that is in scope, locked; deleted or not, as asked.
pub(super) async fn lock(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    id: i64,
    deleted: bool,
) -> Result<Option<Merchant>, sqlx::Error> {
    sqlx::query_as(
        "select m.* from merchant m
         where m.id = $1 and (m.deleted_at is not null) = $2 and ($3 or m.created_by = $4 or m.id = any($5))
         for update",
    )
    .bind(id)
    .bind(deleted)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}

/// The merchants of one page.
pub(super) async fn list(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Merchant>, Problem> {
    let mut query = QueryBuilder::new("select m.* from merchant m where true");
    list::push_deleted(&mut query, "m.deleted_at", filter.deleted.unwrap_or_default());
    list::push_scope(&mut query, "m", scope);
    list::push_equal(&mut query, "m.status", filter.status);
    list::push_equal(&mut query, "m.industry", filter.industry);
    list::push_equal(&mut query, "m.province_code", filter.province_code.clone());
    list::push_equal(&mut query, "m.tax_code", filter.tax_code.as_ref().map(|code| code.replace('-', "")));
    if let Some(name) = &filter.name {
        query.push(" and m.name ilike ").push_bind(list::prefix(name));
    }
    filter.sort.unwrap_or_default().push(&mut query, "m", page)?;
    Ok(query.build_query_as().fetch_all(executor).await?)
}
