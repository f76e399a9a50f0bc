//! Categories: a tree for each merchant.

mod create;
mod delete;
mod list;
mod patch;
mod read;
mod restore;
mod rows;
mod tree;

use serde::Serialize;
use shell::{Checks, Id, OpenApiRouter, Problem, routes};
use sqlx::Row;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Commerce;
use crate::slug::is_slug;

/// A category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Category {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub merchant_id: Id,
    /// The category that it is in; absent at the top.
    pub parent_id: Option<Id>,
    /// As customers see it.
    #[schema(example = "Món nước")]
    pub name: String,
    /// Names it in addresses; unique in the merchant.
    #[schema(example = "mon-nuoc")]
    pub slug: String,
    /// Where it stands among those of the same parent.
    pub position: i32,
    /// Grows with every change; the `ETag`.
    pub version: i64,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it was deleted; absent while it is not.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<OffsetDateTime>,
}

impl sqlx::FromRow<'_, PgRow> for Category {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: Id(row.try_get("id")?),
            merchant_id: Id(row.try_get("merchant_id")?),
            parent_id: row.try_get::<Option<i64>, _>("parent_id")?.map(Id),
            name: row.try_get("name")?,
            slug: row.try_get("slug")?,
            position: row.try_get("position")?,
            version: row.try_get("version")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            deleted_at: row.try_get("deleted_at")?,
        })
    }
}

/// Checks the texts of a category.
fn check(name: &str, slug: &str) -> Result<(), Problem> {
    Checks::new()
        .length(name.trim(), 1, 200, "/name")
        .that(is_slug(slug), "/slug", "SLUG", "must be words of a-z and 0-9 with single dashes between them")
        .finish()
}

/// What a violated constraint means to the caller.
fn explain(constraint: &str) -> Option<Problem> {
    match constraint {
        "category_slug_key" => {
            Some(Problem::taken("/slug", "SLUG_TAKEN", "another category of this merchant has this slug"))
        }
        "category_parent_id_fkey" | "category_not_its_own_parent" => Some(unknown_parent()),
        _ => None,
    }
}

fn unknown_parent() -> Problem {
    Problem::invalid("/parent_id", "CATEGORY_NOT_FOUND", "this merchant has no such category")
}

/// The endpoints.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, patch::patch, delete::delete))
        .routes(routes!(restore::restore))
}
