//! A merchant's configuration of providers. Credentials are sealed when they come in and never go out again.

mod create;
mod credential;
mod delete;
mod enter;
mod list;
mod patch;
mod read;
mod reseal;
mod restore;
mod rows;

use serde::Serialize;
use serde_json::Value;
use shell::{Checks, Id, OpenApiRouter, Problem, routes};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Commerce;
use crate::value::names;

names! {
    /// What a provider is for.
    ProviderGroup {
        /// Payments.
        Payment = "PAYMENT",
        /// Electronic invoices.
        Invoice = "INVOICE",
        /// Deliveries.
        Delivery = "DELIVERY",
        /// Messages to customers.
        Messaging = "MESSAGING",
        /// Anything else.
        Other = "OTHER",
    }
}

names! {
    /// Whether a provider is used.
    IntegrationStatus {
        /// It is.
        Active = "ACTIVE",
        /// Not at the moment.
        Inactive = "INACTIVE",
    }
}

/// An integration. Of its credential only what is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub struct Integration {
    /// Its id.
    #[sqlx(try_from = "i64")]
    pub id: Id,
    /// Whose it is.
    #[sqlx(try_from = "i64")]
    pub merchant_id: Id,
    /// What the provider is for.
    #[sqlx(rename = "provider_group")]
    pub group: ProviderGroup,
    /// The provider: `sepay`, `misa`. Unique in the merchant and the group.
    #[schema(example = "sepay")]
    pub code: String,
    /// A name for people.
    pub name: String,
    /// Whether it is used.
    pub status: IntegrationStatus,
    /// What is not secret, as the provider's adapter defines it.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// The credential's fields, masked.
    #[schema(example = "api_key ••••3f2a")]
    pub credential_hint: String,
    /// The id of the key that it is sealed with.
    pub credential_key_id: String,
    /// When the credential was entered.
    #[serde(with = "time::serde::rfc3339")]
    pub credential_set_at: OffsetDateTime,
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

fn check(code: &str, name: &str, settings: &Value) -> Result<(), Problem> {
    let is_code = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let fits = (1..=50).contains(&code.len()) && code.bytes().all(is_code);
    Checks::new()
        .that(fits, "/code", "CODE", "must be 1 to 50 of a-z, 0-9, - and _")
        .length(name, 0, 200, "/name")
        .that(settings.is_object(), "/settings", "WRONG_TYPE", "must be an object")
        .that(settings.to_string().len() <= 16_384, "/settings", "LENGTH", "has at most 16 KiB as JSON")
        .finish()
}

fn explain(constraint: &str) -> Option<Problem> {
    (constraint == "integration_code_key")
        .then(|| Problem::taken("/code", "CODE_TAKEN", "this merchant has an integration of this group and code"))
}

/// The endpoints.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(reseal::reseal))
        .routes(routes!(read::read, patch::patch, delete::delete))
        .routes(routes!(enter::enter))
        .routes(routes!(restore::restore))
}
