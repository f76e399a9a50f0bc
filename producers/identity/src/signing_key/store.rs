//! The rows of `signing_key`.

use sqlx::PgExecutor;
use time::OffsetDateTime;

/// A key as it is kept.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredKey {
    /// Snowflake.
    pub id: i64,
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// base64url.
    pub x: String,
    /// base64url.
    pub y: String,
    /// The sealed scalar.
    pub private_sealed: Vec<u8>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Since when it signs nothing any more.
    pub retired_at: Option<OffsetDateTime>,
    /// When it leaves the JWKS.
    pub expires_at: Option<OffsetDateTime>,
}

/// The key that signs.
pub async fn active(executor: impl PgExecutor<'_>) -> sqlx::Result<Option<StoredKey>> {
    sqlx::query_as(
        "select id, kid, x, y, private_sealed, created_at, retired_at, expires_at
         from signing_key where retired_at is null",
    )
    .fetch_optional(executor)
    .await
}

/// Every key that may still verify something, the newest first.
pub async fn verifying(executor: impl PgExecutor<'_>, now: OffsetDateTime) -> sqlx::Result<Vec<StoredKey>> {
    sqlx::query_as(
        "select id, kid, x, y, private_sealed, created_at, retired_at, expires_at
         from signing_key where expires_at is null or expires_at > $1 order by created_at desc, id desc",
    )
    .bind(now)
    .fetch_all(executor)
    .await
}

/// Every key there ever was, the newest first.
pub async fn all(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredKey>> {
    sqlx::query_as(
        "select id, kid, x, y, private_sealed, created_at, retired_at, expires_at
         from signing_key order by created_at desc, id desc limit 200",
    )
    .fetch_all(executor)
    .await
}

/// Adds an active key; false when there is one already (somebody else was faster).
pub async fn insert(executor: impl PgExecutor<'_>, key: &StoredKey) -> sqlx::Result<bool> {
    let inserted = sqlx::query(
        "insert into signing_key (id, kid, x, y, private_sealed, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict ((true)) where retired_at is null do nothing",
    )
    .bind(key.id)
    .bind(&key.kid)
    .bind(&key.x)
    .bind(&key.y)
    .bind(&key.private_sealed)
    .bind(key.created_at)
    .execute(executor)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Retires the active key with this id; false when it is not the active one any more.
pub async fn retire(
    executor: impl PgExecutor<'_>,
    id: i64,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> sqlx::Result<bool> {
    let retired =
        sqlx::query("update signing_key set retired_at = $2, expires_at = $3 where id = $1 and retired_at is null");
    Ok(retired.bind(id).bind(now).bind(expires_at).execute(executor).await?.rows_affected() == 1)
}

/// Puts a resealed private half in place of the old one, unless somebody else has already.
pub async fn reseal(executor: impl PgExecutor<'_>, id: i64, old: &[u8], new: &[u8]) -> sqlx::Result<()> {
    sqlx::query("update signing_key set private_sealed = $3 where id = $1 and private_sealed = $2")
        .bind(id)
        .bind(old)
        .bind(new)
        .execute(executor)
        .await?;
    Ok(())
}
