//! Roles and memberships of a user.

use sqlx::PgExecutor;
use time::OffsetDateTime;

/// Gives the user exactly these roles: what is missing is given, what is too much is taken.
pub async fn set_roles(
    executor: impl PgExecutor<'_>,
    user_id: i64,
    roles: &[String],
    by: i64,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "with taken as (
             update user_role set deleted_at = $4
             where user_id = $1 and deleted_at is null and not role = any($2))
         insert into user_role as g (user_id, role, granted_by, granted_at)
         select $1, wanted.role, $3, $4 from unnest($2::text[]) as wanted (role)
         on conflict (user_id, role) do update set granted_by = excluded.granted_by,
             granted_at = excluded.granted_at, deleted_at = null
         where g.deleted_at is not null",
    )
    .bind(user_id)
    .bind(roles)
    .bind(by)
    .bind(now)
    .execute(executor)
    .await?;
    Ok(())
}

/// Lets the user work for exactly these merchants.
pub async fn set_merchants(
    executor: impl PgExecutor<'_>,
    user_id: i64,
    merchants: &[i64],
    by: i64,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query(
        "with taken as (
             update membership set deleted_at = $4
             where user_id = $1 and deleted_at is null and not merchant_id = any($2))
         insert into membership as g (user_id, merchant_id, granted_by, granted_at)
         select $1, wanted.merchant_id, $3, $4 from unnest($2::bigint[]) as wanted (merchant_id)
         on conflict (user_id, merchant_id) do update set granted_by = excluded.granted_by,
             granted_at = excluded.granted_at, deleted_at = null
         where g.deleted_at is not null",
    )
    .bind(user_id)
    .bind(merchants)
    .bind(by)
    .bind(now)
    .execute(executor)
    .await?;
    Ok(())
}
