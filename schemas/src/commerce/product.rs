//! `commerce.public.product`: what a merchant sells; its variants are rows of their own topic.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::Field;
use crate::row::row;

/// A product as it stands after a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Product {
    /// Snowflake.
    pub id: i64,
    /// The merchant that sells it.
    pub merchant_id: i64,
    /// Its category, if it is in one.
    pub category_id: Option<i64>,
    /// Its picture, if it has one.
    pub image_id: Option<i64>,
    /// `RETAIL` or `MENU_ITEM`.
    pub kind: String,
    /// As shown.
    pub name: Field<String>,
    /// Unique among the merchant's living products.
    pub slug: Field<String>,
    /// May be long.
    pub description: Field<String>,
    /// `DRAFT`, `ACTIVE` or `ARCHIVED`.
    pub status: String,
    /// The industry group that a household's sales invoice names.
    pub industry_group: String,
    /// A class and never a rate: rates change by date.
    pub vat_class: String,
    /// Raised by every write of the aggregate: what the `ETag` is made of.
    pub version: i64,
    /// When it was last written.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it was deleted: set means gone, to every consumer.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
}

row!(Product: "commerce", "public.product", [name, slug, description]);
