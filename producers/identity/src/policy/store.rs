//! The rows of `policy`, and the version of the bundle.

use sqlx::PgExecutor;
use time::OffsetDateTime;

/// A policy definition.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct PolicyRow {
    /// Snowflake; the seeded ones have small numbers.
    pub id: i64,
    /// Name of a role.
    pub role: String,
    /// Name of a service.
    pub service: String,
    /// A resource of it, or `*`.
    pub resource: String,
    /// An action on it, or `*`.
    pub action: String,
    /// `allow` or `deny`.
    pub effect: String,
    /// For the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    pub updated_at: OffsetDateTime,
}

/// A page of definitions, the oldest first: after this id, of one role and service if named.
pub async fn page(
    executor: impl PgExecutor<'_>,
    role: Option<&str>,
    service: Option<&str>,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<PolicyRow>> {
    sqlx::query_as(
        "select id, role, service, resource, action, effect, version, created_at, updated_at
         from policy
         where deleted_at is null and id > $3 and ($1::text is null or role = $1) and ($2::text is null or service = $2)
         order by id limit $4",
    )
    .bind(role)
    .bind(service)
    .bind(after)
    .bind(limit)
    .fetch_all(executor)
    .await
}

/// One definition.
pub async fn find(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<PolicyRow>> {
    sqlx::query_as(
        "select id, role, service, resource, action, effect, version, created_at, updated_at
         from policy where deleted_at is null and id = $1",
    )
    .bind(id)
    .fetch_optional(executor)
    .await
}

/// What a new definition says.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Name of a role.
    pub role: String,
    /// Name of a service.
    pub service: String,
    /// A resource of it, or `*`.
    pub resource: String,
    /// An action on it, or `*`.
    pub action: String,
    /// `allow` or `deny`.
    pub effect: String,
}

/// Adds a definition. The unique index `policy_definition` refuses one with the same role, service, resource and action.
pub async fn insert(
    executor: impl PgExecutor<'_>,
    id: i64,
    definition: &Definition,
    now: OffsetDateTime,
) -> sqlx::Result<PolicyRow> {
    sqlx::query_as(
        "insert into policy (id, role, service, resource, action, effect, version, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, 1, $7, $7)
         returning id, role, service, resource, action, effect, version, created_at, updated_at",
    )
    .bind(id)
    .bind(&definition.role)
    .bind(&definition.service)
    .bind(&definition.resource)
    .bind(&definition.action)
    .bind(&definition.effect)
    .bind(now)
    .fetch_one(executor)
    .await
}

/// Changes resource, action or effect of the definition at this version; `None` when it is another one by now.
pub async fn update(
    executor: impl PgExecutor<'_>,
    id: i64,
    version: i64,
    definition: &Definition,
    now: OffsetDateTime,
) -> sqlx::Result<Option<PolicyRow>> {
    sqlx::query_as(
        "update policy set resource = $3, action = $4, effect = $5, version = version + 1, updated_at = $6
         where id = $1 and version = $2 and deleted_at is null
         returning id, role, service, resource, action, effect, version, created_at, updated_at",
    )
    .bind(id)
    .bind(version)
    .bind(&definition.resource)
    .bind(&definition.action)
    .bind(&definition.effect)
    .bind(now)
    .fetch_optional(executor)
    .await
}

/// Locks the definition until the transaction ends.
pub async fn lock(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<()> {
    sqlx::query("select id from policy where id = $1 for update").bind(id).execute(executor).await?;
    Ok(())
}

/// Deletes the definition at this version; false when it is another one by now.
pub async fn delete(executor: impl PgExecutor<'_>, id: i64, version: i64, now: OffsetDateTime) -> sqlx::Result<bool> {
    let deleted = sqlx::query(
        "update policy set deleted_at = $3, updated_at = $3, version = version + 1
         where id = $1 and version = $2 and deleted_at is null",
    );
    Ok(deleted.bind(id).bind(version).bind(now).execute(executor).await?.rows_affected() == 1)
}

/// The version of the bundle: raised by a trigger with each change of a role or a definition.
pub async fn bundle_version(executor: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar("select version from policy_bundle where id = 1").fetch_one(executor).await
}

/// Version and definitions, as of one moment: one statement, so that no change falls between them. Definitions about a
/// role that is deleted are left out.
pub async fn bundle(executor: impl PgExecutor<'_>) -> sqlx::Result<(i64, Vec<Definition>)> {
    let rows: Vec<BundleRow> = sqlx::query_as(
        "select b.version, p.role, p.service, p.resource, p.action, p.effect
         from policy_bundle b
         left join (select policy.* from policy join role on role.name = policy.role and role.deleted_at is null
                    where policy.deleted_at is null) p on true
         where b.id = 1
         order by p.role, p.service, p.resource, p.action",
    )
    .fetch_all(executor)
    .await?;
    let version = rows.first().ok_or(sqlx::Error::RowNotFound)?.version;
    Ok((version, rows.into_iter().filter_map(BundleRow::definition).collect()))
}

#[derive(sqlx::FromRow)]
struct BundleRow {
    version: i64,
    role: Option<String>,
    service: Option<String>,
    resource: Option<String>,
    action: Option<String>,
    effect: Option<String>,
}

impl BundleRow {
    fn definition(self) -> Option<Definition> {
        Some(Definition {
            role: self.role?,
            service: self.service?,
            resource: self.resource?,
            action: self.action?,
            effect: self.effect?,
        })
    }
}
