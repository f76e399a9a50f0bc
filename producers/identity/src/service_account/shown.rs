//! A service account as callers see it.

use serde::Serialize;
use shell::{Answer, Id, IfMatch, Problem};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::store::{self, AccountRow};

/// A service account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServiceAccount {
    id: Id,
    /// The BASIC user name.
    name: String,
    description: String,
    /// `ACTIVE` or `DISABLED`.
    status: String,
    /// Names of roles.
    roles: Vec<String>,
    /// Who made it.
    created_by: Id,
    /// Until when the secret from before the last rotation is good, where it is.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    previous_secret_expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    /// Shown once, in the answer that made it. Only its hash is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<AccountRow> for ServiceAccount {
    fn from(row: AccountRow) -> Self {
        Self {
            id: Id(row.id),
            name: row.name,
            description: row.description,
            status: row.status,
            roles: row.roles,
            created_by: Id(row.created_by),
            previous_secret_expires_at: row.previous_secret_expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            secret: None,
        }
    }
}

impl ServiceAccount {
    pub(crate) fn id(&self) -> Id {
        self.id
    }

    pub(crate) fn with_secret(row: AccountRow, secret: String) -> Self {
        Self { secret: Some(secret), ..row.into() }
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::not_found("service account")
}

pub(crate) fn answer(row: AccountRow) -> Answer {
    let version = row.version;
    Answer::ok(&ServiceAccount::from(row)).etag(version)
}

/// The account alone with this transaction, if the caller has seen this version.
pub(crate) async fn locked(connection: &mut PgConnection, id: i64, if_match: &IfMatch) -> Result<AccountRow, Problem> {
    store::lock(&mut *connection, id).await?;
    let account = store::find(connection, id).await?.ok_or_else(not_found)?;
    if_match.check(account.version)?;
    Ok(account)
}
