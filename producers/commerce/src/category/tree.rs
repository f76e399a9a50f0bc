//! The shape of the tree: no cycles, not too deep, and only one change of it at a time for each merchant.

use shell::Problem;
use sqlx::{PgConnection, PgExecutor};

use super::unknown_parent;

/// How many levels a tree may have.
pub(super) const DEEPEST: i32 = 8;

/// Keeps other changes of this merchant's tree out until the transaction ends. Two moves at once could otherwise each be
/// fine and make a cycle together.
pub(super) async fn lock(executor: impl PgExecutor<'_>, merchant_id: i64) -> Result<(), sqlx::Error> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('category'), hashint8($1))")
        .bind(merchant_id)
        .execute(executor)
        .await?;
    Ok(())
}

/// As [`lock`], by a category. Taken before any row's lock: a move holds this lock while it waits for the parent's row.
pub(super) async fn lock_around(executor: impl PgExecutor<'_>, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "select pg_advisory_xact_lock(hashtext('category'), hashint8(merchant_id)) from category where id = $1",
    )
    .bind(id)
    .execute(executor)
    .await?;
    Ok(())
}

/// Locks a category and all below it, so that nothing can be put into any of them until the transaction ends.
pub(super) async fn lock_below(executor: impl PgExecutor<'_>, merchant_id: i64, id: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with recursive below as (
             select $2::bigint as id
             union
             select c.id from category c join below on c.parent_id = below.id and c.merchant_id = $1)
         select c.id from category c where c.merchant_id = $1 and c.id in (select id from below) order by c.id for update",
    )
    .bind(merchant_id)
    .bind(id)
    .execute(executor)
    .await?;
    Ok(())
}

/// Whether `id`, with all that is below it, may stand below `parent`. For a new category `id` is its new id.
pub(super) async fn check_move(
    connection: &mut PgConnection,
    merchant_id: i64,
    id: i64,
    parent: i64,
) -> Result<(), Problem> {
    let above = ancestors(&mut *connection, merchant_id, parent).await?;
    if above.is_empty() {
        return Err(unknown_parent());
    }
    if above.contains(&id) {
        let message = "the category would be inside itself";
        return Err(Problem::invalid("/parent_id", "CATEGORY_CYCLE", message));
    }
    let levels =
        i32::try_from(above.len()).unwrap_or(i32::MAX).saturating_add(height(connection, merchant_id, id).await?);
    if levels > DEEPEST {
        let message = format!("the tree would have {levels} levels; {DEEPEST} are allowed");
        return Err(Problem::invalid("/parent_id", "CATEGORY_TOO_DEEP", message));
    }
    Ok(())
}

/// The category and everything above it; empty when it is not there or deleted.
async fn ancestors(executor: impl PgExecutor<'_>, merchant_id: i64, id: i64) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "with recursive above as (
             select id, parent_id from category where merchant_id = $1 and id = $2 and deleted_at is null
             union
             select c.id, c.parent_id from category c join above on c.id = above.parent_id and c.merchant_id = $1)
         select id from above",
    )
    .bind(merchant_id)
    .bind(id)
    .fetch_all(executor)
    .await
}

/// How many levels a category and what is below it have; 1 for one that is alone or not there yet.
async fn height(executor: impl PgExecutor<'_>, merchant_id: i64, id: i64) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar(
        "with recursive below as (
             select $2::bigint as id, 1 as level
             union all
             select c.id, below.level + 1 from category c
             join below on c.parent_id = below.id and c.merchant_id = $1 and c.deleted_at is null and below.level < 64)
         select max(level) from below",
    )
    .bind(merchant_id)
    .bind(id)
    .fetch_one(executor)
    .await
}
