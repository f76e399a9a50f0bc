//! `POST /products/{product_id}/restore`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem};
use sqlx::PgExecutor;

use super::conflict::refused;
use super::{Product, rows};
use crate::Commerce;

/// Restore a deleted product, and the variants that were deleted with it.
#[utoipa::path(
    post, path = "/products/{product_id}/restore", tag = "products", operation_id = "restore_product",
    params(("product_id" = Id, Path, description = "The product."), IfMatchHeader),
    responses((status = 200, description = "As it is now.", body = Product)),
)]
pub(super) async fn restore(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    let scope = caller.may("product", "restore").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, true).await?;
            let deleted = locked.ok_or_else(|| Problem::not_found("deleted product"))?;
            if_match.check(deleted.version)?;
            require_category(&mut **transaction, &deleted).await?;
            let restored = undelete(&mut **transaction, &deleted).await;
            restored.map_err(|error| refused(error, id.0, &deleted.variants))?;
            let product = rows::reread(&mut **transaction, id.0).await?;
            Ok(Answer::ok(&product).etag(product.version))
        })
    })
    .await
}

/// A product comes back to where it was, so its category must be there.
async fn require_category(executor: impl PgExecutor<'_>, deleted: &Product) -> Result<(), Problem> {
    let Some(category) = deleted.category_id else { return Ok(()) };
    let live: Option<i64> =
        sqlx::query_scalar("select id from category where id = $1 and deleted_at is null for key share")
            .bind(category.0)
            .fetch_optional(executor)
            .await?;
    let message = "the product's category is deleted; restore it first";
    live.map(|_| ()).ok_or_else(|| Problem::taken("/category_id", "CATEGORY_DELETED", message))
}

async fn undelete(executor: impl PgExecutor<'_>, deleted: &Product) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with back as (
             update product set deleted_at = null, updated_at = now(), version = version + 1 where id = $1
             returning version)
         update variant v set deleted_at = null, updated_at = now(), version = back.version
         from back where v.product_id = $1 and v.deleted_at = $2",
    )
    .bind(deleted.id.0)
    .bind(deleted.deleted_at)
    .execute(executor)
    .await?;
    Ok(())
}
