//! `GET /users` and `GET /users/{id}`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, Items, Page, PageParams, Path, Problem, Query};
use utoipa::{IntoParams, ToSchema};

use super::email;
use super::shown::{self, User};
use super::store::{self, Filter};
use crate::state::App;

/// Whether an account may sign in.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    /// It may.
    Active,
    /// It may not.
    Disabled,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Disabled => "DISABLED",
        }
    }
}

/// What a list is filtered by.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserFilter {
    /// Exactly this address.
    email: Option<String>,
    /// Has this role.
    role: Option<String>,
    /// Works for this merchant.
    merchant_id: Option<Id>,
    status: Option<Status>,
}

impl From<UserFilter> for Filter {
    fn from(filter: UserFilter) -> Self {
        Self {
            // What is no address is nobody's: the list is empty.
            email: filter.email.map(|text| email::normalise(&text).unwrap_or(text)),
            role: filter.role,
            merchant: filter.merchant_id.map(i64::from),
            status: filter.status.map(|status| status.as_str().to_owned()),
        }
    }
}

/// Users that the caller may see, the newest first: administrators all, owners those that they made.
#[utoipa::path(get, path = "/users", tag = "users", params(PageParams, UserFilter),
    responses((status = 200, body = Items<User>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    page: Page,
    Query(filter): Query<UserFilter>,
) -> Result<Answer, Problem> {
    let scope = caller.may("user", "read").await?;
    let rows = store::page(&app.pool, &scope, &filter.into(), page.after()?, page.fetch()).await?;
    Ok(Answer::ok(&page.answer(rows, |row| row.id, User::from)))
}

/// One user.
#[utoipa::path(get, path = "/users/{id}", tag = "users", params(("id" = Id, Path)),
    responses((status = 200, body = User)))]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<Id>) -> Result<Answer, Problem> {
    let scope = caller.may("user", "read").await?;
    let user = store::find(&app.pool, &scope, id.0).await?.ok_or_else(shown::not_found)?;
    let version = user.version;
    Ok(Answer::ok(&User::from(user)).etag(version))
}
