//! `commerce.public.merchant`: shops and their tax metadata.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::Field;
use crate::row::row;

/// A merchant as it stands after a change.
///
/// Every text without a short bound is a [`Field`]: the row's long texts together may pass what Postgres keeps in place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Merchant {
    /// Snowflake.
    pub id: i64,
    /// The shop's own name.
    pub name: Field<String>,
    /// `RETAIL`, `FOOD_SERVICE` or `MIXED`.
    pub industry: String,
    /// Who pays the tax: `ENTERPRISE`, `HOUSEHOLD` or `INDIVIDUAL`.
    pub taxpayer: String,
    /// 10, 12 or 13 digits; none until the merchant has registered.
    pub tax_code: Option<String>,
    /// The name that the tax office has on file.
    pub tax_name: Field<Option<String>>,
    /// The address that the tax office has on file.
    pub tax_address: Field<Option<String>>,
    /// House number and street.
    pub address_line: Field<String>,
    /// Two digits.
    pub province_code: Option<String>,
    /// Five digits.
    pub ward_code: Option<String>,
    /// As entered.
    pub phone: Field<Option<String>>,
    /// As entered.
    pub email: Field<Option<String>>,
    /// `ACTIVE`, `SUSPENDED` or `ARCHIVED`.
    pub status: String,
    /// Who made the merchant: what an OWNER may see.
    pub created_by: i64,
    /// Raised by every write: what the `ETag` is made of.
    pub version: i64,
    /// When it was last written.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it was deleted: set means gone, to every consumer.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
}

row!(Merchant: "commerce", "public.merchant", [name, tax_name, tax_address, address_line, phone, email]);
