//! `GET /categories`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shell::{Caller, Id, Items, Page, PageParams, Problem, Query};
use utoipa::IntoParams;

use super::{Category, rows};
use crate::Commerce;
use crate::list::Sort;

/// Which categories.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of this merchant.
    pub merchant_id: Option<Id>,
    /// Directly in this category.
    pub parent_id: Option<Id>,
    /// Only those in no category.
    pub top: Option<bool>,
    /// With this slug.
    pub slug: Option<String>,
    /// Deleted ones instead.
    pub deleted: Option<bool>,
    /// The order; newest first when absent.
    #[param(inline)]
    pub sort: Option<Sort>,
}

/// List categories.
#[utoipa::path(
    get, path = "/categories", tag = "categories", operation_id = "list_categories", params(Filter, PageParams),
    responses((status = 200, description = "A page.", body = Items<Category>)),
)]
pub(super) async fn list(
    caller: Caller,
    State(commerce): State<Commerce>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Json<Items<Category>>, Problem> {
    let scope = caller.may("category", "read").await?;
    let categories = rows::list(&commerce.pool, &scope, &filter, &page).await?;
    let sort = filter.sort.unwrap_or_default();
    let key = |category: &Category| sort.key(category.id.0, &category.name, category.updated_at);
    Ok(Json(page.answer(categories, key, |category| category)))
}
