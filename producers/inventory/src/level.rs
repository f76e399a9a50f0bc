//! How much of a variant lies where.

mod list;

use serde::Serialize;
use shell::{Id, OpenApiRouter, routes};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Inventory;

/// How much of a variant lies at a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub struct Level {
    /// The location.
    #[sqlx(try_from = "i64")]
    pub location_id: Id,
    /// The variant, in commerce.
    #[sqlx(try_from = "i64")]
    pub variant_id: Id,
    /// The product that it is a variant of.
    #[sqlx(try_from = "i64")]
    pub product_id: Id,
    /// The merchant that sells it.
    #[sqlx(try_from = "i64")]
    pub merchant_id: Id,
    /// How much, in the variant's unit: a decimal with up to four digits behind the point, as a text so that nothing is
    /// rounded on the way. Below zero where more was sold than was there.
    #[schema(example = "12.5", pattern = r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$")]
    pub quantity: String,
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
