//! `GET /merchants`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shell::{Caller, Items, Page, PageParams, Problem, Query};
use utoipa::IntoParams;

use super::{Industry, Merchant, MerchantStatus, rows};
use crate::Commerce;
use crate::list::Sort;

/// Which merchants.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of this status.
    #[param(inline)]
    pub status: Option<MerchantStatus>,
    /// Of this industry.
    #[param(inline)]
    pub industry: Option<Industry>,
    /// In this province.
    pub province_code: Option<String>,
    /// With this tax code.
    pub tax_code: Option<String>,
    /// Whose name begins so, in capitals or not.
    pub name: Option<String>,
    /// Deleted ones instead.
    pub deleted: Option<bool>,
    /// The order; newest first when absent.
    #[param(inline)]
    pub sort: Option<Sort>,
}

/// List merchants.
#[utoipa::path(
    get, path = "/merchants", tag = "merchants", operation_id = "list_merchants", params(Filter, PageParams),
    responses((status = 200, description = "A page.", body = Items<Merchant>)),
)]
pub(super) async fn list(
    caller: Caller,
    State(commerce): State<Commerce>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Json<Items<Merchant>>, Problem> {
    let scope = caller.may("merchant", "read").await?;
    let merchants = rows::list(&commerce.pool, &scope, &filter, &page).await?;
    let sort = filter.sort.unwrap_or_default();
    let key = |merchant: &Merchant| sort.key(merchant.id.0, &merchant.name, merchant.updated_at);
    Ok(Json(page.answer(merchants, key, |merchant| merchant)))
}
