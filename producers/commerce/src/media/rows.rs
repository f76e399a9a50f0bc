//! The statements on `media`.

use shell::{Id, Page, Problem, Scope};
use sqlx::{PgExecutor, QueryBuilder};

use super::{Media, list::Filter};
use crate::list;

/// A picture to insert.
pub(super) struct New<'a> {
    pub(super) id: i64,
    pub(super) merchant_id: i64,
    pub(super) object_key: &'a str,
    pub(super) file_name: &'a str,
    pub(super) content_type: &'a str,
    pub(super) size: i64,
    pub(super) sha256: &'a [u8],
    pub(super) created_by: i64,
}

/// Inserts a picture at version 1.
pub(super) async fn insert(executor: impl PgExecutor<'_>, new: &New<'_>) -> Result<Media, sqlx::Error> {
    sqlx::query_as(
        "insert into media (id, merchant_id, object_key, file_name, content_type, size, sha256, created_by, version,
             created_at, updated_at, deleted_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 1, now(), now(), null)
         returning *",
    )
    .bind(new.id)
    .bind(new.merchant_id)
    .bind(new.object_key)
    .bind(new.file_name)
    .bind(new.content_type)
    .bind(new.size)
    .bind(new.sha256)
    .bind(new.created_by)
    .fetch_one(executor)
    .await
}

/// A picture that is in scope and not deleted.
pub(super) async fn find(executor: impl PgExecutor<'_>, scope: &Scope, id: i64) -> Result<Option<Media>, sqlx::Error> {
    sqlx::query_as(
        "select i.* from media i join merchant m on m.id = i.merchant_id
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

/// A picture that is in scope, locked; deleted or not, as asked.
pub(super) async fn lock(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    id: i64,
    deleted: bool,
) -> Result<Option<Media>, sqlx::Error> {
    sqlx::query_as(
        "select i.* from media i join merchant m on m.id = i.merchant_id
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

/// Deletes or restores a picture that is locked. Its bytes stay: nothing is hard-deleted.
pub(super) async fn set_deleted(executor: impl PgExecutor<'_>, id: i64, deleted: bool) -> Result<Media, sqlx::Error> {
    sqlx::query_as(
        "update media set deleted_at = case when $2 then now() end, version = version + 1, updated_at = now()
         where id = $1 returning *",
    )
    .bind(id)
    .bind(deleted)
    .fetch_one(executor)
    .await
}

/// The products that show a picture: how many, and up to ten ids.
pub(super) async fn products_with(
    executor: impl PgExecutor<'_>,
    merchant_id: Id,
    id: Id,
) -> Result<(i64, Vec<i64>), sqlx::Error> {
    sqlx::query_as(
        "select count(*), coalesce((array_agg(id order by id))[1:10], '{}') from product
         where merchant_id = $1 and image_id = $2 and deleted_at is null",
    )
    .bind(merchant_id.0)
    .bind(id.0)
    .fetch_one(executor)
    .await
}

/// The pictures of one page. Their name is the file's.
pub(super) async fn list(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    filter: &Filter,
    page: &Page,
) -> Result<Vec<Media>, Problem> {
    let mut query = QueryBuilder::new(
        "select i.* from (select *, file_name as name from media) i join merchant m on m.id = i.merchant_id
         where m.deleted_at is null",
    );
    list::push_deleted(&mut query, "i.deleted_at", filter.deleted.unwrap_or_default());
    list::push_scope(&mut query, "m", scope);
    list::push_equal(&mut query, "i.merchant_id", filter.merchant_id.map(|id| id.0));
    list::push_equal(&mut query, "i.content_type", filter.content_type.clone());
    filter.sort.unwrap_or_default().push(&mut query, "i", page)?;
    Ok(query.build_query_as().fetch_all(executor).await?)
}
