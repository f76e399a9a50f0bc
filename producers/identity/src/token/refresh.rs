//! Refresh tokens: used once, renewed at each use. One that comes back after it was used was stolen, from the client
//! or by it: nobody can tell, so the whole family (everything since that sign-in) is revoked (RFC 9700 section 4.14.2).

use std::time::Duration;

use platform::random::Random;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::secret;

/// Unused for this long, a token expires.
pub const LIFETIME: Duration = Duration::from_hours(14 * 24);
/// However often it is renewed, a sign-in ends after this long.
pub const FAMILY_LIFETIME: Duration = Duration::from_hours(90 * 24);
/// How long rows are kept after their sign-in ended, to be looked at.
pub const KEPT: Duration = Duration::from_hours(30 * 24);

/// A token that was used just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Used {
    /// Whose it is.
    pub user_id: i64,
    /// Which sign-in it comes from.
    pub family_id: i64,
    /// When that sign-in ends.
    pub family_expires_at: OffsetDateTime,
}

/// What a presented token turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// Good, and used now.
    Used(Used),
    /// Used before: its family is revoked now. Commit it.
    Reused {
        /// Whose it is.
        user_id: i64,
        /// The family that was revoked.
        family_id: i64,
    },
    /// Unknown, expired or revoked.
    Refused,
}

/// A new sign-in's first token. Answers the token: it is not kept, only its hash.
pub async fn begin(
    executor: impl PgExecutor<'_>,
    random: &dyn Random,
    id: i64,
    user_id: i64,
    now: OffsetDateTime,
) -> sqlx::Result<String> {
    let used = Used { user_id, family_id: id, family_expires_at: now + FAMILY_LIFETIME };
    renew(executor, random, id, used, now).await
}

/// The token that follows one that was used.
pub async fn renew(
    executor: impl PgExecutor<'_>,
    random: &dyn Random,
    id: i64,
    used: Used,
    now: OffsetDateTime,
) -> sqlx::Result<String> {
    let token = secret::generate(random, secret::REFRESH_TOKEN);
    sqlx::query(
        "insert into refresh_token (id, token_hash, user_id, family_id, created_at, expires_at, family_expires_at)
         values ($1, $2, $3, $4, $5, least($6, $7), $7)",
    )
    .bind(id)
    .bind(secret::digest(&token))
    .bind(used.user_id)
    .bind(used.family_id)
    .bind(now)
    .bind(now + LIFETIME)
    .bind(used.family_expires_at)
    .execute(executor)
    .await?;
    Ok(token)
}

/// Uses the token. The user's row is locked until the transaction ends, before anything is decided: so a token that is
/// used twice at the same moment is seen as used twice, a token that is being renewed while its family is revoked is
/// revoked too, and so is one that is being renewed while the password changes.
pub async fn redeem(connection: &mut PgConnection, token: &str, now: OffsetDateTime) -> sqlx::Result<Redeemed> {
    let hash = secret::digest(token);
    let Some((user_id, family_id)) = find(&mut *connection, &hash).await? else { return Ok(Redeemed::Refused) };
    lock_user(&mut *connection, user_id).await?;
    let used: Option<Used> = sqlx::query_as(
        "update refresh_token set used_at = $2
         where token_hash = $1 and used_at is null and revoked_at is null and expires_at > $2
         returning user_id, family_id, family_expires_at",
    )
    .bind(&hash)
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(used) = used {
        return Ok(Redeemed::Used(used));
    }
    if !was_used(&mut *connection, &hash).await? {
        return Ok(Redeemed::Refused);
    }
    revoke_family(&mut *connection, family_id, now).await?;
    Ok(Redeemed::Reused { user_id, family_id })
}

/// Ends the sign-in that the token comes from; nothing happens for an unknown token.
pub async fn revoke(connection: &mut PgConnection, token: &str, now: OffsetDateTime) -> sqlx::Result<()> {
    if let Some((user_id, family_id)) = find(&mut *connection, &secret::digest(token)).await? {
        lock_user(&mut *connection, user_id).await?;
        revoke_family(&mut *connection, family_id, now).await?;
    }
    Ok(())
}

async fn find(executor: impl PgExecutor<'_>, hash: &[u8]) -> sqlx::Result<Option<(i64, i64)>> {
    sqlx::query_as("select user_id, family_id from refresh_token where token_hash = $1")
        .bind(hash)
        .fetch_optional(executor)
        .await
}

async fn was_used(executor: impl PgExecutor<'_>, hash: &[u8]) -> sqlx::Result<bool> {
    sqlx::query_scalar("select used_at is not null from refresh_token where token_hash = $1")
        .bind(hash)
        .fetch_one(executor)
        .await
}

/// Holds the user until the transaction ends: whoever changes the password, the status or the roles waits, or is
/// waited for.
pub async fn lock_user(executor: impl PgExecutor<'_>, user_id: i64) -> sqlx::Result<()> {
    sqlx::query("select id from app_user where id = $1 for no key update").bind(user_id).execute(executor).await?;
    Ok(())
}

/// Ends one sign-in.
pub async fn revoke_family(executor: impl PgExecutor<'_>, family_id: i64, now: OffsetDateTime) -> sqlx::Result<u64> {
    let revoked = sqlx::query("update refresh_token set revoked_at = $2 where family_id = $1 and revoked_at is null");
    Ok(revoked.bind(family_id).bind(now).execute(executor).await?.rows_affected())
}

/// Ends every sign-in of a user: the password, the status or the roles changed, or the account is gone.
pub async fn revoke_user(executor: impl PgExecutor<'_>, user_id: i64, now: OffsetDateTime) -> sqlx::Result<u64> {
    let revoked = sqlx::query("update refresh_token set revoked_at = $2 where user_id = $1 and revoked_at is null");
    Ok(revoked.bind(user_id).bind(now).execute(executor).await?.rows_affected())
}

/// Deletes the tokens of sign-ins that ended before this moment. One that comes back later is unknown, and refused all
/// the same; until then a used one is still known as used.
pub async fn sweep(executor: impl PgExecutor<'_>, before: OffsetDateTime) -> sqlx::Result<u64> {
    let swept = sqlx::query("delete from refresh_token where family_expires_at < $1").bind(before);
    Ok(swept.execute(executor).await?.rows_affected())
}
