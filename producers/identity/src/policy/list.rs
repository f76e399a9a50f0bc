//! `GET /policies` and `GET /policies/{id}`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, Items, Page, PageParams, Path, Problem, Query};
use utoipa::IntoParams;

use super::shown::{self, Policy};
use super::store;
use crate::state::App;

/// What a list is filtered by.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PolicyFilter {
    /// Name of a role.
    role: Option<String>,
    /// Name of a service.
    service: Option<String>,
}

/// Policy definitions, the oldest first.
#[utoipa::path(get, path = "/policies", tag = "policies", params(PageParams, PolicyFilter),
    responses((status = 200, body = Items<Policy>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    page: Page,
    Query(filter): Query<PolicyFilter>,
) -> Result<Answer, Problem> {
    caller.may("policy", "read").await?;
    let (role, service) = (filter.role.as_deref(), filter.service.as_deref());
    let rows = store::page(&app.pool, role, service, page.after()?.unwrap_or(0), page.fetch()).await?;
    Ok(Answer::ok(&page.answer(rows, |row| row.id, Policy::from)))
}

/// One policy definition.
#[utoipa::path(get, path = "/policies/{id}", tag = "policies", params(("id" = Id, Path)),
    responses((status = 200, body = Policy)))]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<Id>) -> Result<Answer, Problem> {
    caller.may("policy", "read").await?;
    store::find(&app.pool, id.0).await?.map(shown::answer).ok_or_else(shown::not_found)
}
