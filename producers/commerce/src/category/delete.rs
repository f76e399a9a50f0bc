//! `DELETE /categories/{category_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem, Query};
use sqlx::{PgConnection, PgExecutor};

use super::{Category, rows, tree};
use crate::deletion::{DeleteParams, Dependent, Removed, refuse_in_use};
use crate::value::DeletionPolicy;
use crate::{Commerce, merchant};

/// Delete a category; with `CASCADE` its categories and products too. A category cannot be archived: `ARCHIVE` of the
/// merchant's policy means `RESTRICT` here.
#[utoipa::path(
    delete, path = "/categories/{category_id}", tag = "categories", operation_id = "delete_category",
    params(("category_id" = Id, Path, description = "The category."), IfMatchHeader, DeleteParams),
    responses((status = 200, description = "What was done.", body = Removed)),
)]
pub(super) async fn delete(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Query(params): Query<DeleteParams>,
) -> Result<Answer, Problem> {
    let scope = caller.may("category", "delete").await?;
    if params.policy == Some(DeletionPolicy::Archive) {
        return Err(Problem::invalid("policy", "POLICY", "a category cannot be archived; choose RESTRICT or CASCADE"));
    }
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            tree::lock_around(&mut **transaction, id.0).await?;
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let category = locked.ok_or_else(|| Problem::not_found("category"))?;
            if_match.check(category.version)?;
            Ok(Answer::ok(&remove(transaction, &category, params.policy).await?))
        })
    })
    .await
}

async fn remove(
    connection: &mut PgConnection,
    category: &Category,
    policy: Option<DeletionPolicy>,
) -> Result<Removed, Problem> {
    let policy = match policy {
        Some(policy) => policy,
        None => merchant::deletion_policy(&mut *connection, category.merchant_id.0).await?,
    };
    if policy == DeletionPolicy::Cascade {
        tree::lock_below(&mut *connection, category.merchant_id.0, category.id.0).await?;
    } else {
        refuse_in_use("category", dependents(&mut *connection, category).await?)?;
    }
    Ok(Removed::deleted(delete_tree(connection, category).await? - 1))
}

async fn dependents(executor: impl PgExecutor<'_>, category: &Category) -> Result<Vec<Dependent>, sqlx::Error> {
    let (categories, category_ids, products, product_ids): (i64, Vec<i64>, i64, Vec<i64>) = sqlx::query_as(
        "select c.count, coalesce(c.ids, '{}'), p.count, coalesce(p.ids, '{}')
         from (select count(*) as count, (array_agg(id order by id))[1:10] as ids
               from category where merchant_id = $1 and parent_id = $2 and deleted_at is null) c,
              (select count(*) as count, (array_agg(id order by id))[1:10] as ids
               from product where merchant_id = $1 and category_id = $2 and deleted_at is null) p",
    )
    .bind(category.merchant_id.0)
    .bind(category.id.0)
    .fetch_one(executor)
    .await?;
    Ok(vec![Dependent::of("category", categories, category_ids), Dependent::of("product", products, product_ids)])
}

/// Deletes a category and everything below it, at one time, by which a restore finds it again; answers how many rows.
async fn delete_tree(executor: impl PgExecutor<'_>, category: &Category) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "with recursive below as (
             select $2::bigint as id
             union
             select c.id from category c join below on c.parent_id = below.id and c.merchant_id = $1
             where c.deleted_at is null),
         categories as (
             update category set deleted_at = now(), updated_at = now(), version = version + 1
             where merchant_id = $1 and id in (select id from below) returning id),
         products as (
             update product set deleted_at = now(), updated_at = now(), version = version + 1
             where merchant_id = $1 and category_id in (select id from below) and deleted_at is null returning id),
         variants as (
             update variant set deleted_at = now(), updated_at = now(), version = version + 1
             where product_id in (select id from products) and deleted_at is null returning id)
         select (select count(*) from categories) + (select count(*) from products) + (select count(*) from variants)",
    )
    .bind(category.merchant_id.0)
    .bind(category.id.0)
    .fetch_one(executor)
    .await
}
