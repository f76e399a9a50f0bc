//! `DELETE /merchants/{merchant_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem, Query};
use sqlx::{PgConnection, PgExecutor};

use super::{Merchant, MerchantStatus, rows};
use crate::Commerce;
use crate::deletion::{DeleteParams, Dependent, Removed, refuse_in_use};
use crate::value::DeletionPolicy;

/// Delete a merchant, or archive it, or take everything of it along: as the policy says.
#[utoipa::path(
    delete, path = "/merchants/{merchant_id}", tag = "merchants", operation_id = "delete_merchant",
    params(("merchant_id" = Id, Path, description = "The merchant."), IfMatchHeader, DeleteParams),
    responses((status = 200, description = "What was done.", body = Removed)),
)]
pub(super) async fn delete(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Query(params): Query<DeleteParams>,
) -> Result<Answer, Problem> {
    let scope = caller.may("merchant", "delete").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let merchant = locked.ok_or_else(|| Problem::not_found("merchant"))?;
            if_match.check(merchant.version)?;
            let policy = params.policy.unwrap_or(merchant.deletion_policy);
            Ok(Answer::ok(&remove(transaction, merchant, policy).await?))
        })
    })
    .await
}

async fn remove(
    connection: &mut PgConnection,
    mut merchant: Merchant,
    policy: DeletionPolicy,
) -> Result<Removed, Problem> {
    match policy {
        DeletionPolicy::Archive => {
            merchant.status = MerchantStatus::Archived;
            rows::update(&mut *connection, &merchant).await?;
            Ok(Removed::ARCHIVED)
        }
        DeletionPolicy::Restrict => {
            refuse_in_use("merchant", dependents(&mut *connection, merchant.id.0).await?)?;
            mark_deleted(connection, merchant.id.0).await?;
            Ok(Removed::deleted(0))
        }
        DeletionPolicy::Cascade => {
            let cascaded = delete_dependents(&mut *connection, merchant.id.0).await?;
            mark_deleted(connection, merchant.id.0).await?;
            Ok(Removed::deleted(cascaded))
        }
    }
}

async fn mark_deleted(executor: impl PgExecutor<'_>, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query("update merchant set deleted_at = now(), updated_at = now(), version = version + 1 where id = $1")
        .bind(id)
        .execute(executor)
        .await?;
    Ok(())
}

/// What depends on a merchant: how many of each kind, and up to ten ids.
async fn dependents(executor: impl PgExecutor<'_>, id: i64) -> Result<Vec<Dependent>, sqlx::Error> {
    let rows: Vec<(String, i64, Vec<i64>)> = sqlx::query_as(
        "select kind, count(*), (array_agg(id order by id))[1:10] from (
             select 'category' as kind, id from category where merchant_id = $1 and deleted_at is null
             union all select 'product', id from product where merchant_id = $1 and deleted_at is null
             union all select 'integration', id from integration where merchant_id = $1 and deleted_at is null
             union all select 'media', id from media where merchant_id = $1 and deleted_at is null) dependent
         group by kind order by kind",
    )
    .bind(id)
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|(kind, count, ids)| Dependent::of(kind_of(&kind), count, ids)).collect())
}

fn kind_of(kind: &str) -> &'static str {
    ["category", "product", "integration", "media"].into_iter().find(|known| *known == kind).unwrap_or("row")
}

/// Deletes all that depends on a merchant, at one time, by which a restore finds it again.
async fn delete_dependents(executor: impl PgExecutor<'_>, id: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "with variants as (
             update variant set deleted_at = now(), updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at is null returning 1),
         products as (
             update product set deleted_at = now(), updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at is null returning 1),
         categories as (
             update category set deleted_at = now(), updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at is null returning 1),
         integrations as (
             update integration set deleted_at = now(), updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at is null returning 1),
         pictures as (
             update media set deleted_at = now(), updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at is null returning 1)
         select (select count(*) from variants) + (select count(*) from products) + (select count(*) from categories)
              + (select count(*) from integrations) + (select count(*) from pictures)",
    )
    .bind(id)
    .fetch_one(executor)
    .await
}
