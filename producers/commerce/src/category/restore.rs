//! `POST /categories/{category_id}/restore`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, OnConstraint, Path, Problem};
use sqlx::PgExecutor;

use super::{Category, explain, rows, tree};
use crate::{Commerce, product};

/// Restore a deleted category, and what was deleted with it.
#[utoipa::path(
    post, path = "/categories/{category_id}/restore", tag = "categories", operation_id = "restore_category",
    params(("category_id" = Id, Path, description = "The category."), IfMatchHeader),
    responses((status = 200, description = "As it is now.", body = Category)),
)]
pub(super) async fn restore(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    let scope = caller.may("category", "restore").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            tree::lock_around(&mut **transaction, id.0).await?;
            let locked = rows::lock(&mut **transaction, &scope, id.0, true).await?;
            let deleted = locked.ok_or_else(|| Problem::not_found("deleted category"))?;
            if_match.check(deleted.version)?;
            if let Some(parent) = deleted.parent_id {
                tree::check_move(transaction, deleted.merchant_id.0, id.0, parent.0).await?;
            }
            let restored = undelete(&mut **transaction, &deleted).await;
            let category = restored.on_constraints(|name| explain(name).or_else(|| product::explain_restore(name)))?;
            Ok(Answer::ok(&category).etag(category.version))
        })
    })
    .await
}

/// Rows deleted with the category carry its very time of deletion.
async fn undelete(executor: impl PgExecutor<'_>, deleted: &Category) -> Result<Category, sqlx::Error> {
    sqlx::query_as(
        "with recursive below as (
             select $2::bigint as id
             union
             select c.id from category c join below on c.parent_id = below.id and c.merchant_id = $1
             where c.deleted_at = $3),
         products as (
             update product set deleted_at = null, updated_at = now(), version = version + 1
             where merchant_id = $1 and category_id in (select id from below) and deleted_at = $3 returning id),
         variants as (
             update variant set deleted_at = null, updated_at = now(), version = version + 1
             where product_id in (select id from products) and deleted_at = $3),
         categories as (
             update category set deleted_at = null, updated_at = now(), version = version + 1
             where merchant_id = $1 and id in (select id from below) returning *)
         select * from categories where id = $2",
    )
    .bind(deleted.merchant_id.0)
    .bind(deleted.id.0)
    .bind(deleted.deleted_at)
    .fetch_one(executor)
    .await
}
