//! `commerce.public.category`: a merchant's tree of categories.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::Field;
use crate::row::row;

/// A category as it stands after a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Category {
    /// Snowflake.
    pub id: i64,
    /// The merchant whose tree it is in.
    pub merchant_id: i64,
    /// The category above; none for a root.
    pub parent_id: Option<i64>,
    /// As shown.
    pub name: Field<String>,
    /// Unique among the merchant's living categories.
    pub slug: Field<String>,
    /// Its place among its siblings.
    pub position: i32,
    /// Raised by every write: what the `ETag` is made of.
    pub version: i64,
    /// When it was last written.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it was deleted: set means gone, to every consumer.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
}

row!(Category: "commerce", "public.category", [name, slug]);
