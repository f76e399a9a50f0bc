//! A user as callers see it, and how one is found before it is changed.

use serde::Serialize;
use shell::{Answer, Id, IfMatch, Problem, Scope};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::store::{self, UserRow};
use crate::token::refresh;

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    id: Id,
    email: String,
    name: String,
    /// `ACTIVE` or `DISABLED`.
    status: String,
    /// Names of roles.
    roles: Vec<String>,
    /// The merchants that the user works for.
    merchant_ids: Vec<Id>,
    /// Who made it.
    created_by: Id,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: Id(row.id),
            email: row.email,
            name: row.name,
            status: row.status,
            roles: row.roles,
            merchant_ids: row.merchants.into_iter().map(Id).collect(),
            created_by: Id(row.created_by),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::not_found("user")
}

/// The user alone with this transaction, if the caller may see it and has seen this version.
pub(crate) async fn locked(
    connection: &mut PgConnection,
    scope: &Scope,
    id: i64,
    if_match: &IfMatch,
) -> Result<UserRow, Problem> {
    refresh::lock_user(&mut *connection, id).await?;
    let user = store::find(connection, scope, id).await?.ok_or_else(not_found)?;
    if_match.check(user.version)?;
    Ok(user)
}

/// The user as it is now, with its `ETag`.
pub(crate) async fn answer(connection: &mut PgConnection, id: i64) -> Result<Answer, Problem> {
    let user = store::find(connection, &Scope::All, id).await?.ok_or_else(not_found)?;
    let version = user.version;
    Ok(Answer::ok(&User::from(user)).etag(version))
}
