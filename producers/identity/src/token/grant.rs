//! `POST /tokens`: credentials in, tokens out. And `POST /tokens/revoke`.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use shell::{Answer, Checks, Json, Problem, uninterrupted};
use utoipa::ToSchema;

use super::{GrantError, Granted, access, exchange, refresh, renew, sign_in};
use crate::state::{App, basic};

/// What is presented.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "grant_type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Grant {
    /// A user's e-mail address and password.
    Password {
        /// The address, however it is spelled.
        #[schema(max_length = 1000)]
        email: String,
        /// The password.
        #[schema(max_length = 1000)]
        password: String,
    },
    /// A refresh token, which is used up by it.
    RefreshToken {
        /// The token.
        #[schema(max_length = 1000)]
        refresh_token: String,
    },
    /// A service account, whose name and secret are in the `Authorization` header (BASIC).
    ServiceAccount {},
}

/// What is granted (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// A JWT, signed with ES256 by one of the keys of `/jwks.json`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    /// Good once, for the next tokens. Absent for service accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl From<Granted> for Tokens {
    fn from(granted: Granted) -> Self {
        let Granted { access_token, refresh_token } = granted;
        Self { access_token, token_type: "Bearer", expires_in: access::LIFETIME.as_secs(), refresh_token }
    }
}

/// Grants tokens.
///
/// Whatever is wrong with the credentials, the answer is the same 401, after the same time. Failed passwords are counted
/// by account and by address; beyond the limit the answer is 429, for accounts that do not exist too. Never takes an
/// `Idempotency-Key`: an answer with tokens in it is kept nowhere.
#[utoipa::path(post, path = "/tokens", tag = "tokens", security(()), request_body = Grant,
    responses((status = 200, body = Tokens), (status = 401, description = "The credentials are not valid.",
        body = ref("#/components/schemas/Problem"), content_type = "application/problem+json")))]
pub(crate) async fn grant(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Json(grant): Json<Grant>,
) -> Result<Response, Problem> {
    grant.check()?;
    let client = app.client(peer.map(|Extension(ConnectInfo(peer))| peer.ip()), &headers);
    // To its end even when the caller hangs up: an attempt that was counted is decided.
    let granted = uninterrupted(async move {
        match grant {
            Grant::Password { email, password } => sign_in::sign_in(&app, &email, password, client).await,
            Grant::RefreshToken { refresh_token } => renew::renew(&app, refresh_token).await,
            Grant::ServiceAccount {} => service_account(&app, &headers).await,
        }
    });
    let tokens = Tokens::from(granted.await?);
    Ok(([(header::CACHE_CONTROL, "no-store")], Answer::ok(&tokens)).into_response())
}

impl Grant {
    /// Longer texts are nobody's credentials, and not worth the hashing.
    fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Password { email, password } => {
                Checks::new().length(email, 0, 1000, "/email").length(password, 0, 1000, "/password").finish()
            }
            Self::RefreshToken { refresh_token } => {
                Checks::new().length(refresh_token, 0, 1000, "/refresh_token").finish()
            }
            Self::ServiceAccount {} => Ok(()),
        }
    }
}

async fn service_account(app: &App, headers: &HeaderMap) -> Result<Granted, GrantError> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (name, secret) = header.and_then(basic).ok_or(GrantError::Refused)?;
    exchange::exchange(app, &name, &secret).await
}

/// A refresh token that shall end.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revocation {
    #[schema(max_length = 1000)]
    refresh_token: String,
}

/// Signs out: ends the sign-in that the refresh token comes from. Answers 204 for unknown tokens too (RFC 7009
/// section 2.2). The access token lives on until it expires.
#[utoipa::path(post, path = "/tokens/revoke", tag = "tokens", security(()), request_body = Revocation,
    responses((status = 204, description = "The sign-in is ended.")))]
pub(crate) async fn revoke(State(app): State<App>, Json(revocation): Json<Revocation>) -> Result<Answer, Problem> {
    let now = app.clock.now();
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move {
            refresh::revoke(transaction, &revocation.refresh_token, now).await?;
            Ok(Answer::no_content())
        })
    })
    .await
}
