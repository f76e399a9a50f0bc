//! What invoices print about their seller. Kept by the consumer merchant-tax; nothing here writes it.

mod read;

use serde::{Deserialize, Serialize};
use shell::{Id, OpenApiRouter, routes};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Invoice;

/// Who pays the tax. It decides the form of invoices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Taxpayer {
    /// A company.
    Enterprise,
    /// A household business.
    Household,
    /// A person.
    Individual,
}

/// What an invoice prints about a merchant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub struct TaxInfo {
    /// The merchant.
    #[sqlx(try_from = "i64")]
    pub merchant_id: Id,
    /// As customers know it.
    #[schema(example = "Phở Thìn Lò Đúc")]
    pub name: String,
    /// Who pays the tax.
    pub taxpayer: Taxpayer,
    /// Digits only: 10, 13 with a branch, or a personal ID of 12; null until the merchant has registered.
    #[schema(example = "0100109106")]
    pub tax_code: Option<String>,
    /// The name that the tax office has on file.
    pub tax_name: Option<String>,
    /// The address that the tax office has on file.
    pub tax_address: Option<String>,
    /// House number and street.
    pub address_line: String,
    /// Two digits.
    #[schema(example = "01")]
    pub province_code: Option<String>,
    /// Five digits.
    #[schema(example = "00004")]
    pub ward_code: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// A telephone number.
    pub phone: Option<String>,
    /// When the merchant was changed last, in commerce.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

pub(crate) fn routes() -> OpenApiRouter<Invoice> {
    OpenApiRouter::new().routes(routes!(read::read))
}
