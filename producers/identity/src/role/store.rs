//! The rows of `role`, and who has them.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

/// A role.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RoleRow {
    /// Snowflake; the built-in ones have small numbers.
    pub id: i64,
    /// What tokens and policies say.
    pub name: String,
    /// For people.
    pub description: String,
    /// Known to the code.
    pub built_in: bool,
    /// For the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    pub updated_at: OffsetDateTime,
}

/// A page of roles, the oldest first: after this id.
pub async fn page(executor: impl PgExecutor<'_>, after: i64, limit: i64) -> sqlx::Result<Vec<RoleRow>> {
    sqlx::query_as(
        "select id, name, description, built_in, version, created_at, updated_at
         from role where deleted_at is null and id > $1 order by id limit $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(executor)
    .await
}

/// One role.
pub async fn find(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<RoleRow>> {
    sqlx::query_as(
        "select id, name, description, built_in, version, created_at, updated_at
         from role where deleted_at is null and id = $1",
    )
    .bind(id)
    .fetch_optional(executor)
    .await
}

/// Adds a role, or brings a deleted one of that name back; `None` when there is one of that name.
pub async fn insert(
    executor: impl PgExecutor<'_>,
    id: i64,
    name: &str,
    description: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Option<RoleRow>> {
    sqlx::query_as(
        "insert into role as r (id, name, description, built_in, version, created_at, updated_at)
         values ($1, $2, $3, false, 1, $4, $4)
         on conflict (name) do update set description = excluded.description, version = r.version + 1,
             updated_at = excluded.updated_at, deleted_at = null
         where r.deleted_at is not null
         returning id, name, description, built_in, version, created_at, updated_at",
    )
    .bind(id)
    .bind(name)
    .bind(description)
    .bind(now)
    .fetch_optional(executor)
    .await
}

/// Changes the description of the role at this version; `None` when it is another one by now.
pub async fn describe(
    executor: impl PgExecutor<'_>,
    id: i64,
    version: i64,
    description: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Option<RoleRow>> {
    sqlx::query_as(
        "update role set description = $3, version = version + 1, updated_at = $4
         where id = $1 and version = $2 and deleted_at is null
         returning id, name, description, built_in, version, created_at, updated_at",
    )
    .bind(id)
    .bind(version)
    .bind(description)
    .bind(now)
    .fetch_optional(executor)
    .await
}

/// Deletes the role at this version; false when it is another one by now.
pub async fn delete(executor: impl PgExecutor<'_>, id: i64, version: i64, now: OffsetDateTime) -> sqlx::Result<bool> {
    let deleted = sqlx::query(
        "update role set deleted_at = $3, updated_at = $3, version = version + 1
         where id = $1 and version = $2 and deleted_at is null and not built_in",
    );
    Ok(deleted.bind(id).bind(version).bind(now).execute(executor).await?.rows_affected() == 1)
}

/// What still refers to a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Uses {
    /// Users that have it.
    pub users: i64,
    /// Service accounts that have it.
    pub service_accounts: i64,
    /// Policy definitions about it.
    pub policies: i64,
}

/// Counts what refers to the role.
pub async fn uses(executor: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Uses> {
    sqlx::query_as(
        "select (select count(*) from user_role where role = $1 and deleted_at is null) as users,
                (select count(*) from service_account_role where role = $1 and deleted_at is null) as service_accounts,
                (select count(*) from policy where role = $1 and deleted_at is null) as policies",
    )
    .bind(name)
    .fetch_one(executor)
    .await
}

/// Locks the roles of these names until the transaction ends, so that none is deleted meanwhile, and answers those that
/// exist. Whoever deletes a role locks it too, and counts its uses afterwards.
pub async fn lock(connection: &mut PgConnection, names: &[String]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select name from role where name = any($1) and deleted_at is null order by name for share")
        .bind(names)
        .fetch_all(connection)
        .await
}

/// Locks one role against being given, until the transaction ends.
pub async fn lock_for_deletion(connection: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query("select id from role where id = $1 for update").bind(id).execute(connection).await?;
    Ok(())
}
