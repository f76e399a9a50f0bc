//! `DELETE /products/{product_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem, Query};
use sqlx::{PgConnection, PgExecutor};

use super::{Product, rows};
use crate::deletion::{DeleteParams, Removed};
use crate::value::DeletionPolicy;
use crate::{Commerce, merchant};

/// Delete a product with its variants, or archive it. Nothing in this service depends on a product, so `RESTRICT` never
/// refuses: orders and stock keep their own copies.
#[utoipa::path(
    delete, path = "/products/{product_id}", tag = "products", operation_id = "delete_product",
    params(("product_id" = Id, Path, description = "The product."), IfMatchHeader, DeleteParams),
    responses((status = 200, description = "What was done.", body = Removed)),
)]
pub(super) async fn delete(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Query(params): Query<DeleteParams>,
) -> Result<Answer, Problem> {
    let scope = caller.may("product", "delete").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let product = locked.ok_or_else(|| Problem::not_found("product"))?;
            if_match.check(product.version)?;
            Ok(Answer::ok(&remove(transaction, &product, params.policy).await?))
        })
    })
    .await
}

async fn remove(
    connection: &mut PgConnection,
    product: &Product,
    policy: Option<DeletionPolicy>,
) -> Result<Removed, Problem> {
    let policy = match policy {
        Some(policy) => policy,
        None => merchant::deletion_policy(&mut *connection, product.merchant_id.0).await?,
    };
    if policy == DeletionPolicy::Archive {
        archive(connection, product.id.0).await?;
        return Ok(Removed::ARCHIVED);
    }
    Ok(Removed::deleted(delete_aggregate(connection, product.id.0).await?))
}

async fn archive(executor: impl PgExecutor<'_>, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query("update product set status = 'ARCHIVED', updated_at = now(), version = version + 1 where id = $1")
        .bind(id)
        .execute(executor)
        .await?;
    Ok(())
}

/// Deletes a product and its variants at one time, by which a restore finds them again; answers how many variants.
async fn delete_aggregate(executor: impl PgExecutor<'_>, id: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "with gone as (
             update product set deleted_at = now(), updated_at = now(), version = version + 1 where id = $1
             returning version),
         variants as (
             update variant v set deleted_at = now(), updated_at = now(), version = gone.version
             from gone where v.product_id = $1 and v.deleted_at is null returning v.id)
         select count(*) from variants",
    )
    .bind(id)
    .fetch_one(executor)
    .await
}
