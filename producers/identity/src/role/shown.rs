//! A role as callers see it.

use serde::Serialize;
use shell::{Answer, Id, Problem};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::store::RoleRow;

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Role {
    id: Id,
    /// What tokens and policies say.
    name: String,
    description: String,
    /// Known to the code: cannot be deleted.
    built_in: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl From<RoleRow> for Role {
    fn from(row: RoleRow) -> Self {
        let RoleRow { id, name, description, built_in, created_at, updated_at, .. } = row;
        Self { id: Id(id), name, description, built_in, created_at, updated_at }
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::not_found("role")
}

pub(crate) fn answer(row: RoleRow) -> Answer {
    let version = row.version;
    Answer::ok(&Role::from(row)).etag(version)
}
