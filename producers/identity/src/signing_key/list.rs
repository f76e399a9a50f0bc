//! `GET /signing-keys`.

use axum::extract::State;
use serde::Serialize;
use shell::{Answer, Caller, Id, Problem};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::store::{self, StoredKey};
use crate::state::App;

/// A signing key, without its private half.
#[derive(Serialize, ToSchema)]
pub(crate) struct SigningKey {
    id: Id,
    kid: String,
    /// `ACTIVE` signs and verifies, `RETIRED` verifies, `EXPIRED` does neither.
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// Since when it signs nothing any more.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    retired_at: Option<OffsetDateTime>,
    /// When it verifies nothing any more.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    expires_at: Option<OffsetDateTime>,
}

impl SigningKey {
    pub(crate) fn of(key: StoredKey, now: OffsetDateTime) -> Self {
        let status = match key.expires_at {
            None => "ACTIVE",
            Some(expires_at) if now < expires_at => "RETIRED",
            Some(_) => "EXPIRED",
        };
        let StoredKey { id, kid, created_at, retired_at, expires_at, .. } = key;
        Self { id: Id(id), kid, status, created_at, retired_at, expires_at }
    }
}

/// The newest keys first: up to 200, more than anybody rotates in the memory of a token.
#[derive(Serialize, ToSchema)]
pub(crate) struct SigningKeys {
    items: Vec<SigningKey>,
}

/// The keys that sign or signed.
#[utoipa::path(get, path = "/signing-keys", tag = "keys", responses((status = 200, body = SigningKeys)))]
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may("signing-key", "read").await?;
    let now = app.clock.now();
    let keys = store::all(&app.pool).await?;
    Ok(Answer::ok(&SigningKeys { items: keys.into_iter().map(|key| SigningKey::of(key, now)).collect() }))
}
