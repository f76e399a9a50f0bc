//! The rows of `service_account`.

use sqlx::PgExecutor;
use time::OffsetDateTime;

/// A service account. No hash.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AccountRow {
    /// Snowflake.
    pub id: i64,
    /// The BASIC user name.
    pub name: String,
    /// For people.
    pub description: String,
    /// `ACTIVE` or `DISABLED`.
    pub status: String,
    /// Who made it.
    pub created_by: i64,
    /// For the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    pub updated_at: OffsetDateTime,
    /// Until when the secret from before the last rotation is good.
    pub previous_secret_expires_at: Option<OffsetDateTime>,
    /// Names of roles, sorted.
    pub roles: Vec<String>,
}

/// What a token needs.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Credentials {
    /// Whose they are.
    pub id: i64,
    /// SHA-256.
    pub secret_hash: Vec<u8>,
    /// SHA-256 of the one before.
    pub previous_secret_hash: Option<Vec<u8>>,
    /// Until when that one is good.
    pub previous_secret_expires_at: Option<OffsetDateTime>,
    /// `ACTIVE` or `DISABLED`.
    pub status: String,
    /// Names of roles.
    pub roles: Vec<String>,
}

/// A page of accounts, the newest first: those before this id.
pub async fn page(executor: impl PgExecutor<'_>, before: Option<i64>, limit: i64) -> sqlx::Result<Vec<AccountRow>> {
    sqlx::query_as(
        "select a.id, a.name, a.description, a.status, a.created_by, a.version, a.created_at, a.updated_at,
                a.previous_secret_expires_at,
                array(select r.role from service_account_role r
                      where r.service_account_id = a.id and r.deleted_at is null order by r.role) as roles
         from service_account a
         where a.deleted_at is null and ($1::bigint is null or a.id < $1)
         order by a.id desc
         limit $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(executor)
    .await
}

/// One account.
pub async fn find(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<AccountRow>> {
    sqlx::query_as(
        "select a.id, a.name, a.description, a.status, a.created_by, a.version, a.created_at, a.updated_at,
                a.previous_secret_expires_at,
                array(select r.role from service_account_role r
                      where r.service_account_id = a.id and r.deleted_at is null order by r.role) as roles
         from service_account a
         where a.deleted_at is null and a.id = $1",
    )
    .bind(id)
    .fetch_optional(executor)
    .await
}

/// Locks the account until the transaction ends.
pub async fn lock(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<()> {
    sqlx::query("select id from service_account where id = $1 for no key update").bind(id).execute(executor).await?;
    Ok(())
}

/// What a token for the account of this name needs.
pub async fn credentials(executor: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<Credentials>> {
    sqlx::query_as(
        "select a.id, a.secret_hash, a.previous_secret_hash, a.previous_secret_expires_at, a.status,
                array(select r.role from service_account_role r
                      where r.service_account_id = a.id and r.deleted_at is null order by r.role) as roles
         from service_account a
         where a.deleted_at is null and a.name = $1",
    )
    .bind(name)
    .fetch_optional(executor)
    .await
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Snowflake.
    pub id: i64,
    /// The BASIC user name.
    pub name: String,
    /// For people.
    pub description: String,
    /// SHA-256 of the secret.
    pub secret_hash: Vec<u8>,
    /// Who makes it.
    pub created_by: i64,
}

/// Adds an account. The constraint `service_account_name` refuses a name that is or was taken.
pub async fn insert(executor: impl PgExecutor<'_>, account: &NewAccount, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query(
        "insert into service_account
             (id, name, description, secret_hash, status, created_by, version, created_at, updated_at)
         values ($1, $2, $3, $4, 'ACTIVE', $5, 1, $6, $6)",
    )
    .bind(account.id)
    .bind(&account.name)
    .bind(&account.description)
    .bind(&account.secret_hash)
    .bind(account.created_by)
    .bind(now)
    .execute(executor)
    .await?;
    Ok(())
}

/// Gives the account exactly these roles.
pub async fn set_roles(
    executor: impl PgExecutor<'_>,
    id: i64,
    roles: &[String],
    by: i64,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "with taken as (
             update service_account_role set deleted_at = $4
             where service_account_id = $1 and deleted_at is null and not role = any($2))
         insert into service_account_role as g (service_account_id, role, granted_by, granted_at)
         select $1, wanted.role, $3, $4 from unnest($2::text[]) as wanted (role)
         on conflict (service_account_id, role) do update set granted_by = excluded.granted_by,
             granted_at = excluded.granted_at, deleted_at = null
         where g.deleted_at is not null",
    )
    .bind(id)
    .bind(roles)
    .bind(by)
    .bind(now)
    .execute(executor)
    .await?;
    Ok(())
}

/// Changes description and status of the account at this version; false when it is another one by now.
pub async fn update(
    executor: impl PgExecutor<'_>,
    id: i64,
    version: i64,
    description: Option<&str>,
    status: Option<&str>,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let updated = sqlx::query(
        "update service_account set description = coalesce($3, description), status = coalesce($4, status),
             version = version + 1, updated_at = $5
         where id = $1 and version = $2 and deleted_at is null",
    )
    .bind(id)
    .bind(version)
    .bind(description)
    .bind(status)
    .bind(now)
    .execute(executor)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// A new secret for the account at this version. The old one is good until `previous_until`, or gone at once.
pub async fn rotate(
    executor: impl PgExecutor<'_>,
    id: i64,
    version: i64,
    secret_hash: &[u8],
    previous_until: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let rotated = sqlx::query(
        "update service_account set secret_hash = $3,
             previous_secret_hash = case when $4::timestamptz is null then null else secret_hash end,
             previous_secret_expires_at = $4, version = version + 1, updated_at = $5
         where id = $1 and version = $2 and deleted_at is null",
    )
    .bind(id)
    .bind(version)
    .bind(secret_hash)
    .bind(previous_until)
    .bind(now)
    .execute(executor)
    .await?;
    Ok(rotated.rows_affected() == 1)
}

/// Deletes the account at this version; false when it is another one by now.
pub async fn delete(executor: impl PgExecutor<'_>, id: i64, version: i64, now: OffsetDateTime) -> sqlx::Result<bool> {
    let deleted = sqlx::query(
        "update service_account set deleted_at = $3, updated_at = $3, version = version + 1
         where id = $1 and version = $2 and deleted_at is null",
    );
    Ok(deleted.bind(id).bind(version).bind(now).execute(executor).await?.rows_affected() == 1)
}
