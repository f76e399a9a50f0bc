//! `GET /jwks.json`.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shell::{Answer, Problem};
use utoipa::ToSchema;

use crate::state::App;

/// The public keys (RFC 7517), for the document.
#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    keys: Vec<Key>,
}

/// One public key (RFC 7518 section 6.2).
#[derive(Serialize, ToSchema)]
pub(crate) struct Key {
    /// `EC`.
    kty: String,
    /// `P-256`.
    crv: String,
    /// base64url.
    x: String,
    /// base64url.
    y: String,
    /// RFC 7638 thumbprint.
    kid: String,
    /// `ES256`.
    alg: String,
    /// `sig`.
    r#use: String,
}

/// The public keys that verify tokens now. One that was rotated stays until the last token that it signed has expired.
#[utoipa::path(get, path = "/jwks.json", tag = "keys", security(()), responses((status = 200, body = Keys)))]
pub(crate) async fn jwks(State(app): State<App>) -> Result<Response, Problem> {
    let keys = app.keys.verifying().await?;
    // Nothing between us and a shell may keep a set that lacks the newest key.
    Ok(([(header::CACHE_CONTROL, "no-cache")], Answer::ok(&keys)).into_response())
}
