//! `GET /roles` and `GET /roles/{id}`.

use axum::extract::State;
use shell::{Answer, Caller, Id, Items, Page, PageParams, Path, Problem};

use super::shown::{self, Role};
use super::store;
use crate::state::App;

/// All roles, the oldest first.
#[utoipa::path(get, path = "/roles", tag = "roles", params(PageParams), responses((status = 200, body = Items<Role>)))]
pub(crate) async fn list(State(app): State<App>, caller: Caller, page: Page) -> Result<Answer, Problem> {
    caller.may("role", "read").await?;
    let rows = store::page(&app.pool, page.after()?.unwrap_or(0), page.fetch()).await?;
    Ok(Answer::ok(&page.answer(rows, |row| row.id, Role::from)))
}

/// One role.
#[utoipa::path(get, path = "/roles/{id}", tag = "roles", params(("id" = Id, Path)),
    responses((status = 200, body = Role)))]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<Id>) -> Result<Answer, Problem> {
    caller.may("role", "read").await?;
    store::find(&app.pool, id.0).await?.map(shown::answer).ok_or_else(shown::not_found)
}
