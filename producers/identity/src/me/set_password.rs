//! `PUT /me/password`.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Extension, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use shell::authority::Kind;
use shell::{Answer, Caller, Checks, Json, Problem, Scope, uninterrupted};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::password::strength;
use crate::problem;
use crate::state::App;
use crate::throttle::Attempt;
use crate::token::{GrantError, refresh};
use crate::user::store::{self, Change};

/// The password that is, and the one that shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    #[schema(max_length = 1000)]
    current_password: String,
    #[schema(min_length = 12, max_length = 128)]
    new_password: String,
}

/// Changes the caller's own password, and ends every sign-in. Needs the present one, because a token that was left open
/// is not the person; wrong ones are counted as at sign-in.
#[utoipa::path(put, path = "/me/password", tag = "me", request_body = NewPassword,
    responses((status = 204, description = "It is changed; sign in again.")))]
pub(crate) async fn set_password(
    State(app): State<App>,
    caller: Caller,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Json(passwords): Json<NewPassword>,
) -> Result<Answer, Problem> {
    if caller.kind != Kind::User {
        return Err(Problem::forbidden());
    }
    Checks::new().length(&passwords.current_password, 0, 1000, "/current_password").finish()?;
    let client = app.client(peer.map(|Extension(ConnectInfo(peer))| peer.ip()), &headers);
    uninterrupted(async move { replace(&app, caller.id, client, passwords).await }).await
}

async fn replace(app: &App, id: i64, client: Option<IpAddr>, passwords: NewPassword) -> Result<Answer, Problem> {
    let user = store::find(&app.pool, &Scope::All, id).await?.ok_or_else(problem::refused)?;
    strength::check(&passwords.new_password, &user.email).map_err(|fault| problem::weak("/new_password", fault))?;
    let attempt = Attempt::begin(&app.pool, &app.limits, &*app.clock, &user.email, client).await;
    let attempt = attempt.map_err(GrantError::from)?;
    let verified = store::credentials(&app.pool, id).await?.ok_or_else(problem::refused)?.password_hash;
    if !app.passwords.verify(passwords.current_password, Some(verified.clone())).await? {
        return Err(Problem::invalid("/current_password", "WRONG_PASSWORD", "is not your password"));
    }
    attempt.succeeded(&app.pool).await?;
    let (hash, now) = (app.passwords.hash(passwords.new_password).await?, app.clock.now());
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move { change(transaction, id, &verified, hash, now).await })
    })
    .await
}

async fn change(
    connection: &mut PgConnection,
    id: i64,
    verified: &str,
    hash: String,
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    refresh::lock_user(&mut *connection, id).await?;
    let current = store::credentials(&mut *connection, id).await?.ok_or_else(problem::refused)?;
    if current.password_hash != verified {
        return Err(Problem::conflict("PASSWORD_CHANGED", "the password was changed at the same moment"));
    }
    let user = store::find(&mut *connection, &Scope::All, id).await?.ok_or_else(problem::refused)?;
    let change = Change { password_hash: Some(hash), ..Change::default() };
    store::update(&mut *connection, id, user.version, &change, now).await?;
    refresh::revoke_user(&mut *connection, id, now).await?;
    Ok(Answer::no_content())
}
