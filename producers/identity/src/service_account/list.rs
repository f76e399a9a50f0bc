//! `GET /service-accounts` and `GET /service-accounts/{id}`.

use axum::extract::State;
use shell::{Answer, Caller, Id, Items, Page, PageParams, Path, Problem};

use super::shown::{self, ServiceAccount};
use super::store;
use crate::state::App;

/// Service accounts, the newest first.
#[utoipa::path(get, path = "/service-accounts", tag = "service accounts", params(PageParams),
    responses((status = 200, body = Items<ServiceAccount>)))]
pub(crate) async fn list(State(app): State<App>, caller: Caller, page: Page) -> Result<Answer, Problem> {
    must_see(&caller).await?;
    let rows = store::page(&app.pool, page.after()?, page.fetch()).await?;
    Ok(Answer::ok(&page.answer(rows, |row| row.id, ServiceAccount::from)))
}

/// One service account.
#[utoipa::path(get, path = "/service-accounts/{id}", tag = "service accounts", params(("id" = Id, Path)),
    responses((status = 200, body = ServiceAccount)))]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<Id>) -> Result<Answer, Problem> {
    must_see(&caller).await?;
    store::find(&app.pool, id.0).await?.map(shown::answer).ok_or_else(shown::not_found)
}

/// They belong to the platform and to no merchant: who may see rows of its own only sees none of them.
async fn must_see(caller: &Caller) -> Result<(), Problem> {
    if caller.may("service-account", "read").await?.is_all() { Ok(()) } else { Err(Problem::forbidden()) }
}
