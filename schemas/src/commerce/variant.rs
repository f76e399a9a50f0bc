//! `commerce.public.variant`: what is on the shelf: one size, colour or packing of a product, with its price.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::row::row;
use crate::{Field, Json};

/// A variant as it stands after a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Variant {
    /// Snowflake.
    pub id: i64,
    /// The product that it is a variant of.
    pub product_id: i64,
    /// The merchant that sells it.
    pub merchant_id: i64,
    /// Unique among the merchant's living variants.
    pub sku: Field<String>,
    /// As printed, if it has one.
    pub barcode: Field<Option<String>>,
    /// As shown beside the product's name; may be empty.
    pub name: Field<String>,
    /// What one of it is: a piece, a bowl, a kilogram.
    pub unit: Field<String>,
    /// Whole dong, tax included.
    pub price: i64,
    /// Whole dong; none when the merchant does not say.
    pub cost: Option<i64>,
    /// What sets the variant apart: an object.
    pub attributes: Field<Json<serde_json::Map<String, serde_json::Value>>>,
    /// One of a product's variants is the one that is shown first.
    pub is_default: bool,
    /// Its place among the product's variants.
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

row!(Variant: "commerce", "public.variant", [sku, barcode, name, unit, attributes]);
