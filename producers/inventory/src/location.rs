//! Where stock lies.

mod list;

use serde::Serialize;
use shell::{Id, OpenApiRouter, routes};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Inventory;

/// A place where stock lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub struct Location {
    /// Its id.
    #[sqlx(try_from = "i64")]
    pub id: Id,
    /// The merchant whose it is.
    #[sqlx(try_from = "i64")]
    pub merchant_id: Id,
    /// Its name.
    #[schema(example = "Kho mặc định")]
    pub name: String,
    /// Whether stock lies here unless said otherwise. One location of each merchant is.
    pub is_default: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

pub(crate) fn routes() -> OpenApiRouter<Inventory> {
    OpenApiRouter::new().routes(routes!(list::list))
}
