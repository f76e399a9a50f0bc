//! Merchants, with their tax metadata.

mod check;
mod create;
mod delete;
mod list;
mod patch;
mod read;
mod restore;
mod rows;
mod summary;

use serde::Serialize;
use shell::{Id, OpenApiRouter, Problem, Scope, routes};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Commerce;
use crate::value::{DeletionPolicy, names};

pub(crate) use rows::deletion_policy;

names! {
    /// What a merchant sells.
    Industry {
        /// Goods.
        Retail = "RETAIL",
        /// Meals and drinks.
        FoodService = "FOOD_SERVICE",
        /// Both.
        Mixed = "MIXED",
    }
}

names! {
    /// Who pays the tax. It decides the form of invoices and which books are kept.
    Taxpayer {
        /// A company.
        Enterprise = "ENTERPRISE",
        /// A household business.
        Household = "HOUSEHOLD",
        /// A person.
        Individual = "INDIVIDUAL",
    }
}

names! {
    /// Whether a merchant trades.
    MerchantStatus {
        /// It does.
        Active = "ACTIVE",
        /// Not at the moment.
        Suspended = "SUSPENDED",
        /// No more; it stays readable.
        Archived = "ARCHIVED",
    }
}

/// A merchant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub struct Merchant {
    /// Its id.
    #[sqlx(try_from = "i64")]
    pub id: Id,
    /// As customers know it.
    #[schema(example = "Phở Thìn Lò Đúc")]
    pub name: String,
    /// What it sells.
    pub industry: Industry,
    /// Who pays the tax.
    pub taxpayer: Taxpayer,
    /// Digits only: 10, 13 with a branch, or a personal ID of 12.
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
    /// A telephone number.
    pub phone: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// Whether it trades.
    pub status: MerchantStatus,
    /// What a DELETE in it does when the caller does not say.
    pub deletion_policy: DeletionPolicy,
    /// Whose it is: the user who created it, or whom an administrator created it for.
    #[sqlx(try_from = "i64", rename = "created_by")]
    pub owner_id: Id,
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

/// The answer to a body that names a merchant which does not exist, or not for this caller: it does not tell which.
pub(crate) fn no_such_merchant() -> Problem {
    let message = "there is no such merchant, or you may not see it";
    Problem::not_found("merchant").field("/merchant_id", "NO_SUCH_MERCHANT", message)
}

/// 404 unless the merchant is in scope and not deleted; then it stays so until the transaction ends.
pub(crate) async fn require_visible(
    executor: impl sqlx::PgExecutor<'_>,
    scope: &Scope,
    merchant_id: i64,
) -> Result<(), Problem> {
    let visible = rows::is_visible(executor, scope, merchant_id).await?;
    if visible { Ok(()) } else { Err(no_such_merchant()) }
}

/// The endpoints.
pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(read::read, patch::patch, delete::delete))
        .routes(routes!(restore::restore))
        .routes(routes!(summary::summary))
}
