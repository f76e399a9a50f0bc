//! `GET /media`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, Items, Page, PageParams, Problem, Query};
use utoipa::IntoParams;

use super::{Media, rows};
use crate::Commerce;
use crate::list::Sort;

/// Which pictures.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of this merchant.
    pub merchant_id: Option<Id>,
    /// Of this content type.
    pub content_type: Option<String>,
    /// Deleted ones instead.
    pub deleted: Option<bool>,
    /// The order; newest first when absent. The name is the file's.
    #[param(inline)]
    pub sort: Option<Sort>,
}

/// List pictures.
#[utoipa::path(
    get, path = "/media", tag = "media", operation_id = "list_media", params(Filter, PageParams),
    responses((status = 200, description = "A page.", body = Items<Media>)),
)]
pub(super) async fn list(
    caller: Caller,
    State(commerce): State<Commerce>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Answer, Problem> {
    let scope = caller.may("media", "read").await?;
    let media = rows::list(&commerce.pool, &scope, &filter, &page).await?;
    let sort = filter.sort.unwrap_or_default();
    let key = |one: &Media| sort.key(one.id.0, &one.file_name, one.updated_at);
    Ok(Answer::ok(&page.answer(media, key, |media| media)))
}
