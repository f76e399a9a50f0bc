//! `GET /me`.

use axum::extract::State;
use serde::Serialize;
use shell::authority::Kind;
use shell::{Answer, Caller, Id, Problem, Scope};
use utoipa::ToSchema;

use crate::state::App;
use crate::{service_account, user};

/// Who asks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    id: Id,
    /// `user` or `service`.
    kind: &'static str,
    /// A service account has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    name: String,
    /// As of now; the access token may name others until it expires.
    roles: Vec<String>,
    /// The merchants that the caller works for, as of now.
    merchant_ids: Vec<Id>,
}

/// Who the caller is. Needs no role.
#[utoipa::path(get, path = "/me", tag = "me", responses((status = 200, body = Me)))]
pub(crate) async fn get(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    let me = match caller.kind {
        Kind::User => user::store::find(&app.pool, &Scope::All, caller.id).await?.map(|row| Me {
            id: Id(row.id),
            kind: "user",
            email: Some(row.email),
            name: row.name,
            roles: row.roles,
            merchant_ids: row.merchants.into_iter().map(Id).collect(),
        }),
        Kind::Service => service_account::store::find(&app.pool, caller.id).await?.map(|row| Me {
            id: Id(row.id),
            kind: "service",
            email: None,
            name: row.name,
            roles: row.roles,
            merchant_ids: Vec::new(),
        }),
    };
    // Deleted since the token was issued.
    me.map(|me| Answer::ok(&me)).ok_or_else(|| Problem::unauthenticated("TOKEN_REFUSED"))
}
