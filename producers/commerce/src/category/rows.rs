//! The statements on `category`.

use shell::{OnConstraint, Page, Problem, Scope};
use sqlx::{PgExecutor, QueryBuilder};

use super::{Category, explain, list::Filter};
use crate::list;

/// A category to insert.
pub(super) struct New<'a> {
    pub(super) id: i64,
    pub(super) merchant_id: i64,
    pub(super) parent_id: Option<i64>,
    pub(super) name: &'a str,
    pub(super) slug: &'a str,
    /// Whether the slug was made from the name: then it gets the id's end where another category has it.
    pub(super) slug_is_made: bool,
    pub(super) position: i32,
    pub(super) created_by: i64,
}

/// Inserts a category at version 1.
pub(super) async fn insert(executor: impl PgExecutor<'_>, new: &New<'_>) -> Result<Category, Problem> {
    sqlx::query_as(
        "insert into category
             (id, merchant_id, parent_id, name, slug, position, created_by, version, created_at, updated_at, deleted_at)
         values ($1, $2, $3, $4,
             case when $6 and exists (
                 select from category c where c.merchant_id = $2 and c.slug = $5 and c.deleted_at is null)
             then $5 || '-' || ($1 % 1000000) else $5 end,
             $7, $8, 1, now(), now(), null)
         returning *",
    )
    .bind(new.id)
    .bind(new.merchant_id)
    .bind(new.parent_id)
    .bind(new.name)
    .bind(new.slug)
    .bind(new.slug_is_made)
    .bind(new.position)
    .bind(new.created_by)
    .fetch_one(executor)
    .await
    .on_constraints(explain)
}

/// Writes every field of a category that is locked, under the next version.
pub(super) async fn update(executor: impl PgExecutor<'_>, category: &Category) -> Result<Category, Problem> {
    sqlx::query_as(
        "update category set parent_id = $2, name = $3, slug = $4, position = $5, version = version + 1, updated_at = now()
         where id = $1 returning *",
    )
    .bind(category.id.0)
    .bind(category.parent_id.map(|id| id.0))
    .bind(&category.name)
    .bind(&category.slug)
    .bind(category.position)
    .fetch_one(executor)
    .await
    .on_constraints(explain)
}

/// A category that is in scope and not deleted.
pub(super) async fn find(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    id: i64,
) -> Result<Option<Category>, sqlx::Error> {
    sqlx::query_as(
        "select c.* from category c join merchant m on m.id = c.merchant_id
         where c.id = $1 and c.deleted_at is null and m.deleted_at is null
           and ($2 or m.created_by = $3 or m.id = any($4))",
    )
    .bind(id)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}

/// A category that is in scope, locked; deleted or not, as asked. Its merchant is not deleted.
pub(super) async fn lock(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    id: i64,
    deleted: bool,
) -> Result<Option<Category>, sqlx::Error> {
    sqlx::query_as(
        "select c.* from category c join merchant m on m.id = c.merchant_id
         where c.id = $1 and (c.deleted_at is not null) = $2 and m.deleted_at is null
           and ($3 or m.created_by = $4 or m.id = any($5))
         for update of c for key share of m",
    )
    .bind(id)
    .bind(deleted)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}

/// The categories of one page.
pub(super) async fn list(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Category>, Problem> {
    let mut query = QueryBuilder::new(
        "select c.* from category c join merchant m on m.id = c.merchant_id where m.deleted_at is null",
    );
    list::push_deleted(&mut query, "c.deleted_at", filter.deleted.unwrap_or_default());
    list::push_scope(&mut query, "m", scope);
    list::push_equal(&mut query, "c.merchant_id", filter.merchant_id.map(|id| id.0));
    list::push_equal(&mut query, "c.parent_id", filter.parent_id.map(|id| id.0));
    list::push_equal(&mut query, "c.slug", filter.slug.clone());
    if filter.top.unwrap_or_default() {
        query.push(" and c.parent_id is null");
    }
    filter.sort.unwrap_or_default().push(&mut query, "c", page)?;
    Ok(query.build_query_as().fetch_all(executor).await?)
}
