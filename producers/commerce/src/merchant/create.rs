//! `POST /merchants`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, IdempotencyHeader, Once, Problem};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Industry, Merchant, MerchantStatus, Taxpayer, check::check, rows};
use crate::Commerce;
use crate::value::DeletionPolicy;

/// A merchant to create.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateMerchant {
    /// As customers know it.
    #[schema(example = "Phở Thìn Lò Đúc", min_length = 1, max_length = 200)]
    pub name: String,
    /// What it sells.
    pub industry: Industry,
    /// Who pays the tax.
    pub taxpayer: Taxpayer,
    /// 10 digits, 13 with a branch (a dash before it is allowed), or a personal ID of 12.
    #[schema(example = "0100109106")]
    pub tax_code: Option<String>,
    /// The name that the tax office has on file.
    #[schema(max_length = 400)]
    pub tax_name: Option<String>,
    /// The address that the tax office has on file.
    #[schema(max_length = 400)]
    pub tax_address: Option<String>,
    /// House number and street.
    #[serde(default)]
    #[schema(max_length = 400)]
    pub address_line: String,
    /// One of the 34 provinces in force since 01/07/2025.
    #[schema(example = "01")]
    pub province_code: Option<String>,
    /// A ward of that province.
    #[schema(example = "00004")]
    pub ward_code: Option<String>,
    /// A telephone number.
    pub phone: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// `ACTIVE` when absent.
    pub status: Option<MerchantStatus>,
    /// `RESTRICT` when absent.
    pub deletion_policy: Option<DeletionPolicy>,
    /// Whose it is; only an administrator may name another user than itself.
    pub owner_id: Option<Id>,
}

impl CreateMerchant {
    fn into_merchant(self, id: i64, owner: i64) -> Merchant {
        Merchant {
            id: Id(id),
            name: self.name.trim().to_owned(),
            industry: self.industry,
            taxpayer: self.taxpayer,
            tax_code: self.tax_code,
            tax_name: self.tax_name,
            tax_address: self.tax_address,
            address_line: self.address_line,
            province_code: self.province_code,
            ward_code: self.ward_code,
            phone: self.phone,
            email: self.email,
            status: self.status.unwrap_or(MerchantStatus::Active),
            deletion_policy: self.deletion_policy.unwrap_or(DeletionPolicy::Restrict),
            owner_id: Id(owner),
            version: 1,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
            deleted_at: None,
        }
    }
}

/// Create a merchant.
#[utoipa::path(
    post, path = "/merchants", tag = "merchants", operation_id = "create_merchant",
    params(IdempotencyHeader), request_body = CreateMerchant,
    responses((status = 201, description = "Created.", body = Merchant)),
)]
pub(super) async fn create(
    caller: Caller,
    State(commerce): State<Commerce>,
    once: Once<CreateMerchant>,
) -> Result<Answer, Problem> {
    let scope = caller.may("merchant", "create").await?;
    let owner = once.body.owner_id.map_or(caller.id, |owner| owner.0);
    if owner != caller.id && !scope.is_all() {
        return Err(Problem::forbidden().field(
            "/owner_id",
            "FORBIDDEN",
            "only an administrator creates for another user",
        ));
    }
    let mut merchant = once.body.into_merchant(commerce.snowflake.next_id()?, owner);
    check(&mut merchant)?;
    once.key
        .once(&commerce.pool, move |transaction| {
            Box::pin(async move {
                let merchant = rows::insert(&mut **transaction, &merchant).await?;
                let location = crate::path(format_args!("merchants/{}", merchant.id));
                Ok(Answer::created(&merchant).etag(merchant.version).location(location))
            })
        })
        .await
}
