//! The statements on `integration`.

use serde_json::Value;
use shell::{OnConstraint, Page, Problem, Scope};
use sqlx::{PgExecutor, QueryBuilder};

use super::{Integration, IntegrationStatus, ProviderGroup, credential::Sealed, explain, list::Filter};
use crate::list;

/// An integration to insert.
pub(super) struct New<'a> {
    pub(super) id: i64,
    pub(super) merchant_id: i64,
    pub(super) group: ProviderGroup,
    pub(super) code: &'a str,
    pub(super) name: &'a str,
    pub(super) status: IntegrationStatus,
    pub(super) settings: &'a Value,
    pub(super) sealed: &'a Sealed,
    pub(super) created_by: i64,
}

/// Inserts an integration at version 1.
pub(super) async fn insert(executor: impl PgExecutor<'_>, new: &New<'_>) -> Result<Integration, Problem> {
    sqlx::query_as(
        "insert into integration (id, merchant_id, provider_group, code, name, status, settings, credential_sealed,
             credential_key_id, credential_hint, credential_set_at, created_by, version, created_at, updated_at, deleted_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now(), $11, 1, now(), now(), null)
         returning *",
    )
    .bind(new.id)
    .bind(new.merchant_id)
    .bind(new.group)
    .bind(new.code)
    .bind(new.name)
    .bind(new.status)
    .bind(new.settings)
    .bind(&new.sealed.bytes)
    .bind(&new.sealed.key_id)
    .bind(&new.sealed.hint)
    .bind(new.created_by)
    .fetch_one(executor)
    .await
    .on_constraints(explain)
}

/// Writes what may change of an integration that is locked, under the next version.
pub(super) async fn update(executor: impl PgExecutor<'_>, integration: &Integration) -> Result<Integration, Problem> {
    sqlx::query_as(
        "update integration set name = $2, status = $3, settings = $4, version = version + 1, updated_at = now()
         where id = $1 returning *",
    )
    .bind(integration.id.0)
    .bind(&integration.name)
    .bind(integration.status)
    .bind(&integration.settings)
    .fetch_one(executor)
    .await
    .on_constraints(explain)
}

/// Puts another credential in, under the next version.
pub(super) async fn enter(executor: impl PgExecutor<'_>, id: i64, sealed: &Sealed) -> Result<Integration, sqlx::Error> {
    sqlx::query_as(
        "update integration set credential_sealed = $2, credential_key_id = $3, credential_hint = $4,
             credential_set_at = now(), version = version + 1, updated_at = now()
         where id = $1 returning *",
    )
    .bind(id)
    .bind(&sealed.bytes)
    .bind(&sealed.key_id)
    .bind(&sealed.hint)
    .fetch_one(executor)
    .await
}

/// Deletes or restores an integration that is locked.
pub(super) async fn set_deleted(executor: impl PgExecutor<'_>, id: i64, deleted: bool) -> Result<Integration, Problem> {
    sqlx::query_as(
        "update integration set deleted_at = case when $2 then now() end, version = version + 1, updated_at = now()
         where id = $1 returning *",
    )
    .bind(id)
    .bind(deleted)
    .fetch_one(executor)
    .await
    .on_constraints(explain)
}

/// An integration that is in scope and not deleted.
pub(super) async fn find(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    id: i64,
) -> Result<Option<Integration>, sqlx::Error> {
    sqlx::query_as(
        "select i.* from integration i join merchant m on m.id = i.merchant_id
         where i.id = $1 and i.deleted_at is null and m.deleted_at is null
           and ($2 or m.created_by = $3 or m.id = any($4))",
    )
    .bind(id)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}

/// An integration that is in scope, locked; deleted or not, as asked.
pub(super) async fn lock(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    id: i64,
    deleted: bool,
) -> Result<Option<Integration>, sqlx::Error> {
    sqlx::query_as(
        "select i.* from integration i join merchant m on m.id = i.merchant_id
         where i.id = $1 and (i.deleted_at is not null) = $2 and m.deleted_at is null
           and ($3 or m.created_by = $4 or m.id = any($5))
         for update of i for key share of m",
    )
    .bind(id)
    .bind(deleted)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}

/// The integrations of one page.
pub(super) async fn list(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Integration>, Problem> {
    let mut query = QueryBuilder::new(
        "select i.* from integration i join merchant m on m.id = i.merchant_id where m.deleted_at is null",
    );
    list::push_deleted(&mut query, "i.deleted_at", filter.deleted.unwrap_or_default());
    list::push_scope(&mut query, "m", scope);
    list::push_equal(&mut query, "i.merchant_id", filter.merchant_id.map(|id| id.0));
    list::push_equal(&mut query, "i.provider_group", filter.group);
    list::push_equal(&mut query, "i.status", filter.status);
    list::push_equal(&mut query, "i.code", filter.code.clone());
    filter.sort.unwrap_or_default().push(&mut query, "i", page)?;
    Ok(query.build_query_as().fetch_all(executor).await?)
}

/// Up to a hundred credentials that are not sealed with this key, deleted rows included, locked; those that another
/// process works on are left to it.
pub(super) async fn lock_sealed_otherwise(
    executor: impl PgExecutor<'_>,
    key_id: &str,
    after: i64,
) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    sqlx::query_as(
        "select id, credential_sealed from integration where credential_key_id <> $1 and id > $2
         order by id limit 100 for update skip locked",
    )
    .bind(key_id)
    .bind(after)
    .fetch_all(executor)
    .await
}

/// Writes credentials that were sealed again. Neither version nor time moves: nothing that a caller sees has changed
/// but the key's id.
pub(super) async fn write_resealed(
    executor: impl PgExecutor<'_>,
    key_id: &str,
    ids: &[i64],
    sealed: &[Vec<u8>],
) -> Result<u64, sqlx::Error> {
    let written = sqlx::query(
        "update integration i set credential_sealed = n.sealed, credential_key_id = $1
         from unnest($2::bigint[], $3::bytea[]) as n (id, sealed) where i.id = n.id",
    )
    .bind(key_id)
    .bind(ids)
    .bind(sealed)
    .execute(executor)
    .await?;
    Ok(written.rows_affected())
}
