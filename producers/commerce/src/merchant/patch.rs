//! `PATCH /merchants/{merchant_id}`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Json, Path, Problem};
use utoipa::ToSchema;

use super::{Industry, Merchant, MerchantStatus, Taxpayer, check::check, rows};
use crate::Commerce;
use crate::value::{Change, DeletionPolicy};

/// The fields to change; those that are absent stay, null empties one that may be empty.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchMerchant {
    /// As customers know it.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it sells.
    industry: Option<Industry>,
    /// Who pays the tax.
    taxpayer: Option<Taxpayer>,
    /// 10 digits, 13 with a branch, or a personal ID of 12.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    tax_code: Change<String>,
    /// The name that the tax office has on file.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    tax_name: Change<String>,
    /// The address that the tax office has on file.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    tax_address: Change<String>,
    /// House number and street.
    address_line: Option<String>,
    /// One of the 34 provinces.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    province_code: Change<String>,
    /// A ward of that province.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    ward_code: Change<String>,
    /// A telephone number.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    phone: Change<String>,
    /// An e-mail address.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    email: Change<String>,
    /// Whether it trades.
    status: Option<MerchantStatus>,
    /// What a DELETE in it does when the caller does not say.
    deletion_policy: Option<DeletionPolicy>,
}

impl PatchMerchant {
    fn apply(self, merchant: &mut Merchant) {
        merchant.name = self.name.map_or_else(|| merchant.name.clone(), |name| name.trim().to_owned());
        merchant.industry = self.industry.unwrap_or(merchant.industry);
        merchant.taxpayer = self.taxpayer.unwrap_or(merchant.taxpayer);
        merchant.status = self.status.unwrap_or(merchant.status);
        merchant.deletion_policy = self.deletion_policy.unwrap_or(merchant.deletion_policy);
        if let Some(line) = self.address_line {
            merchant.address_line = line;
        }
        for (field, change) in [
            (&mut merchant.tax_code, self.tax_code),
            (&mut merchant.tax_name, self.tax_name),
            (&mut merchant.tax_address, self.tax_address),
            (&mut merchant.province_code, self.province_code),
            (&mut merchant.ward_code, self.ward_code),
            (&mut merchant.phone, self.phone),
            (&mut merchant.email, self.email),
        ] {
            *field = change.over(field.take());
        }
    }
}

/// Change fields of a merchant.
#[utoipa::path(
    patch, path = "/merchants/{merchant_id}", tag = "merchants", operation_id = "patch_merchant",
    params(("merchant_id" = Id, Path, description = "The merchant."), IfMatchHeader), request_body = PatchMerchant,
    responses((status = 200, description = "As it is now.", body = Merchant)),
)]
pub(super) async fn patch(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(patch): Json<PatchMerchant>,
) -> Result<Answer, Problem> {
    let scope = caller.may("merchant", "update").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let mut merchant = locked.ok_or_else(|| Problem::not_found("merchant"))?;
            if_match.check(merchant.version)?;
            patch.apply(&mut merchant);
            check(&mut merchant)?;
            let merchant = rows::update(&mut **transaction, &merchant).await?;
            Ok(Answer::ok(&merchant).etag(merchant.version))
        })
    })
    .await
}
