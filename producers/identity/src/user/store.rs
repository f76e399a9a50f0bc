//! The rows of `app_user`.

use shell::Scope;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// A user, with what it may be and where it works. No hash.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct UserRow {
    /// Snowflake.
    pub id: i64,
    /// Normalised.
    pub email: String,
    /// For people.
    pub name: String,
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
    /// Names of roles, sorted.
    pub roles: Vec<String>,
    /// Ids of merchants, sorted.
    pub merchants: Vec<i64>,
}

/// What a sign-in needs.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Credentials {
    /// Whose they are.
    pub id: i64,
    /// PHC string.
    pub password_hash: String,
    /// `ACTIVE` or `DISABLED`.
    pub status: String,
}

/// What is asked of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Exactly this e-mail address, normalised.
    pub email: Option<String>,
    /// Has this role.
    pub role: Option<String>,
    /// Works for this merchant.
    pub merchant: Option<i64>,
    /// `ACTIVE` or `DISABLED`.
    pub status: Option<String>,
}

/// A page of the users that the caller may see, the newest first: those before this id. Ids grow with time.
pub async fn page(
    executor: impl PgExecutor<'_>,
    scope: &Scope,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<UserRow>> {
    sqlx::query_as(
        "select u.id, u.email, u.name, u.status, u.created_by, u.version, u.created_at, u.updated_at,
                array(select r.role from user_role r
                      where r.user_id = u.id and r.deleted_at is null order by r.role) as roles,
                array(select m.merchant_id from membership m
                      where m.user_id = u.id and m.deleted_at is null order by m.merchant_id) as merchants
         from app_user u
         where u.deleted_at is null
           and ($1 or u.created_by = $2 or exists (
                select 1 from membership m
                where m.user_id = u.id and m.deleted_at is null and m.merchant_id = any($3)))
           and ($4::text is null or u.email = $4)
           and ($5::text is null
                or $5 in (select r.role from user_role r where r.user_id = u.id and r.deleted_at is null))
           and ($6::bigint is null
                or $6 in (select m.merchant_id from membership m where m.user_id = u.id and m.deleted_at is null))
           and ($7::text is null or u.status = $7)
           and ($8::bigint is null or u.id < $8)
         order by u.id desc
         limit $9",
    )
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .bind(filter.email.as_deref())
    .bind(filter.role.as_deref())
    .bind(filter.merchant)
    .bind(filter.status.as_deref())
    .bind(before)
    .bind(limit)
    .fetch_all(executor)
    .await
}

/// One user that the caller may see.
pub async fn find(executor: impl PgExecutor<'_>, scope: &Scope, id: i64) -> sqlx::Result<Option<UserRow>> {
    sqlx::query_as(
        "select u.id, u.email, u.name, u.status, u.created_by, u.version, u.created_at, u.updated_at,
                array(select r.role from user_role r
                      where r.user_id = u.id and r.deleted_at is null order by r.role) as roles,
                array(select m.merchant_id from membership m
                      where m.user_id = u.id and m.deleted_at is null order by m.merchant_id) as merchants
         from app_user u
         where u.deleted_at is null and u.id = $1
           and ($2 or u.created_by = $3 or exists (
                select 1 from membership m
                where m.user_id = u.id and m.deleted_at is null and m.merchant_id = any($4)))",
    )
    .bind(id)
    .bind(scope.is_all())
    .bind(scope.created_by())
    .bind(scope.merchants())
    .fetch_optional(executor)
    .await
}

/// What a sign-in with this e-mail address needs.
pub async fn credentials_by_email(executor: impl PgExecutor<'_>, email: &str) -> sqlx::Result<Option<Credentials>> {
    sqlx::query_as("select id, password_hash, status from app_user where email = $1 and deleted_at is null")
        .bind(email)
        .fetch_optional(executor)
        .await
}

/// What changing one's password needs.
pub async fn credentials(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<Credentials>> {
    sqlx::query_as("select id, password_hash, status from app_user where id = $1 and deleted_at is null")
        .bind(id)
        .fetch_optional(executor)
        .await
}

/// A user to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Snowflake.
    pub id: i64,
    /// Normalised.
    pub email: String,
    /// For people.
    pub name: String,
    /// PHC string.
    pub password_hash: String,
    /// Who makes it.
    pub created_by: i64,
}

/// Adds a user. The unique index `app_user_email` refuses an address that is taken.
pub async fn insert(executor: impl PgExecutor<'_>, user: &NewUser, now: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query(
        "insert into app_user (id, email, name, password_hash, status, created_by, version, created_at, updated_at)
         values ($1, $2, $3, $4, 'ACTIVE', $5, 1, $6, $6)",
    )
    .bind(user.id)
    .bind(&user.email)
    .bind(&user.name)
    .bind(&user.password_hash)
    .bind(user.created_by)
    .bind(now)
    .execute(executor)
    .await?;
    Ok(())
}

/// What is changed of a user; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Normalised.
    pub email: Option<String>,
    /// For people.
    pub name: Option<String>,
    /// PHC string.
    pub password_hash: Option<String>,
    /// `ACTIVE` or `DISABLED`.
    pub status: Option<String>,
}

impl Change {
    /// Whether every sign-in from before must end: the password, the address or the status is another.
    #[must_use]
    pub fn ends_sign_ins(&self) -> bool {
        self.password_hash.is_some() || self.email.is_some() || self.status.is_some()
    }
}

/// Changes the user at this version, and makes the next version even where nothing changes; false when it is another
/// version by now. Locks the row, so what follows in the transaction is alone with this user.
pub async fn update(
    executor: impl PgExecutor<'_>,
    id: i64,
    version: i64,
    change: &Change,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let updated = sqlx::query(
        "update app_user set email = coalesce($3, email), name = coalesce($4, name),
             password_hash = coalesce($5, password_hash), status = coalesce($6, status),
             version = version + 1, updated_at = $7
         where id = $1 and version = $2 and deleted_at is null",
    )
    .bind(id)
    .bind(version)
    .bind(change.email.as_deref())
    .bind(change.name.as_deref())
    .bind(change.password_hash.as_deref())
    .bind(change.status.as_deref())
    .bind(now)
    .execute(executor)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Puts a hash with today's parameters in place of the one that was verified; false when the password changed meanwhile.
pub async fn rehash(executor: impl PgExecutor<'_>, id: i64, old: &str, new: &str) -> sqlx::Result<bool> {
    let rehashed = sqlx::query("update app_user set password_hash = $3 where id = $1 and password_hash = $2");
    Ok(rehashed.bind(id).bind(old).bind(new).execute(executor).await?.rows_affected() == 1)
}

/// Deletes the user at this version; false when it is another one by now.
pub async fn delete(executor: impl PgExecutor<'_>, id: i64, version: i64, now: OffsetDateTime) -> sqlx::Result<bool> {
    let deleted = sqlx::query(
        "update app_user set deleted_at = $3, updated_at = $3, version = version + 1
         where id = $1 and version = $2 and deleted_at is null",
    );
    Ok(deleted.bind(id).bind(version).bind(now).execute(executor).await?.rows_affected() == 1)
}

/// Whether another active user still has the role `SUPER_ADMIN`. Locks those it looks at, so that the last two cannot
/// both go at the same moment.
pub async fn another_super_admin(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<bool> {
    let others: Vec<i64> = sqlx::query_scalar(
        "select u.id from app_user u
         join user_role r on r.user_id = u.id and r.role = 'SUPER_ADMIN' and r.deleted_at is null
         where u.deleted_at is null and u.status = 'ACTIVE'
         order by u.id for no key update of u",
    )
    .fetch_all(executor)
    .await?;
    Ok(others.iter().any(|other| *other != id))
}
