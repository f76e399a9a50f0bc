//! `POST /merchants/{merchant_id}/restore`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem};
use sqlx::PgExecutor;

use super::{Merchant, rows};
use crate::Commerce;

/// Restore a deleted merchant, and what was deleted with it.
#[utoipa::path(
    post, path = "/merchants/{merchant_id}/restore", tag = "merchants", operation_id = "restore_merchant",
    params(("merchant_id" = Id, Path, description = "The merchant."), IfMatchHeader),
    responses((status = 200, description = "As it is now.", body = Merchant)),
)]
pub(super) async fn restore(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    let scope = caller.may("merchant", "restore").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, true).await?;
            let deleted = locked.ok_or_else(|| Problem::not_found("deleted merchant"))?;
            if_match.check(deleted.version)?;
            let merchant = undelete(&mut **transaction, &deleted).await?;
            Ok(Answer::ok(&merchant).etag(merchant.version))
        })
    })
    .await
}

/// Rows deleted with the merchant carry its very time of deletion. While it was deleted nothing could be created in it,
/// so no name can have been taken since.
async fn undelete(executor: impl PgExecutor<'_>, deleted: &Merchant) -> Result<Merchant, sqlx::Error> {
    sqlx::query_as(
        "with categories as (
             update category set deleted_at = null, updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at = $2),
         products as (
             update product set deleted_at = null, updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at = $2),
         variants as (
             update variant set deleted_at = null, updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at = $2),
         integrations as (
             update integration set deleted_at = null, updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at = $2),
         pictures as (
             update media set deleted_at = null, updated_at = now(), version = version + 1
             where merchant_id = $1 and deleted_at = $2)
         update merchant set deleted_at = null, updated_at = now(), version = version + 1 where id = $1 returning *",
    )
    .bind(deleted.id.0)
    .bind(deleted.deleted_at)
    .fetch_one(executor)
    .await
}
