//! `GET /integrations`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, Items, Page, PageParams, Problem, Query};
use utoipa::IntoParams;

use super::{Integration, IntegrationStatus, ProviderGroup, rows};
use crate::Commerce;
use crate::list::Sort;

/// Which integrations.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of this merchant.
    pub merchant_id: Option<Id>,
    /// Of this group.
    #[param(inline)]
    pub group: Option<ProviderGroup>,
    /// Of this provider.
    pub code: Option<String>,
    /// Of this status.
    #[param(inline)]
    pub status: Option<IntegrationStatus>,
    /// Deleted ones instead.
    pub deleted: Option<bool>,
    /// The order; newest first when absent.
    #[param(inline)]
    pub sort: Option<Sort>,
}

/// List integrations, without their credentials.
#[utoipa::path(
    get, path = "/integrations", tag = "integrations", operation_id = "list_integrations", params(Filter, PageParams),
    responses((status = 200, description = "A page.", body = Items<Integration>)),
)]
pub(super) async fn list(
    caller: Caller,
    State(commerce): State<Commerce>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Answer, Problem> {
    let scope = caller.may("integration", "read").await?;
    let integrations = rows::list(&commerce.pool, &scope, &filter, &page).await?;
    let sort = filter.sort.unwrap_or_default();
    let key = |one: &Integration| sort.key(one.id.0, &one.name, one.updated_at);
    Ok(Answer::ok(&page.answer(integrations, key, |integration| integration)))
}
