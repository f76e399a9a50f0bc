//! `GET /policies/bundle`.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use shell::Problem;

use crate::state::App;

/// All policy definitions with their version, signed: a compact JWS (ES256, one of the keys of `/jwks.json`, `typ`
/// `sluice-policy+jwt`). Needs no credentials, as the keys do not: a shell asks for it before it can check any.
#[utoipa::path(get, path = "/policies/bundle", tag = "policies", security(()),
    responses((status = 200, body = String, content_type = "application/jwt")))]
pub(crate) async fn bundle(State(app): State<App>) -> Result<Response, Problem> {
    let signed = app.bundles.signed().await?;
    let headers = [(header::CONTENT_TYPE, "application/jwt"), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, signed.to_string()).into_response())
}
