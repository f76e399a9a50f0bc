//! `PATCH /users/{id}`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Checks, Id, IfMatch, IfMatchHeader, Json, OnConstraint as _, Path, Problem, Scope};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::create::taken;
use super::email;
use super::list::Status;
use super::shown::{self, User};
use super::store::{self, Change};
use crate::actor::Actor;
use crate::password::strength;
use crate::rank::SUPER_ADMIN;
use crate::state::App;
use crate::token::refresh;

/// What is changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPatch {
    #[schema(min_length = 3, max_length = 254)]
    email: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(min_length = 12, max_length = 128)]
    password: Option<String>,
    status: Option<Status>,
}

/// Changes a user who ranks below the caller. Another address, password or status ends every sign-in of the user.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", params(("id" = Id, Path), IfMatchHeader),
    request_body = UserPatch, responses((status = 200, body = User)))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(patch): Json<UserPatch>,
) -> Result<Answer, Problem> {
    let scope = caller.may("user", "update").await?;
    let actor = Actor::of(&app.pool, &caller).await?;
    // Read here for the address against which a password is judged, and again below under the lock.
    let user = store::find(&app.pool, &scope, id.0).await?.ok_or_else(shown::not_found)?;
    let (change, now) = (patch.change(&app, &user.email).await?, app.clock.now());
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move { apply(transaction, actor, &scope, id.0, &if_match, &change, now).await })
    })
    .await
}

impl UserPatch {
    /// What is written, if it is acceptable for the user with this address: every fault is told at once.
    async fn change(self, app: &App, present_email: &str) -> Result<Change, Problem> {
        let email = self.email.as_deref().map(email::normalise).transpose();
        let mut checks = Checks::new();
        checks.length(self.name.as_deref().map_or("x", str::trim), 1, 200, "/name");
        if let Err(fault) = &email {
            checks.wrong("/email", "NOT_AN_EMAIL", fault.to_string());
        }
        let email = email.ok().flatten();
        let account = email.as_deref().unwrap_or(present_email);
        if let Some(Err(weakness)) = self.password.as_deref().map(|password| strength::check(password, account)) {
            checks.wrong("/password", "WEAK_PASSWORD", weakness.to_string());
        }
        checks.finish()?;
        let password_hash = match self.password {
            Some(password) => Some(app.passwords.hash(password).await?),
            None => None,
        };
        let status = self.status.map(|status| status.as_str().to_owned());
        Ok(Change { email, name: self.name, password_hash, status })
    }
}

async fn apply(
    connection: &mut PgConnection,
    actor: Actor,
    scope: &Scope,
    id: i64,
    if_match: &IfMatch,
    change: &Change,
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    let user = shown::locked(&mut *connection, scope, id, if_match).await?;
    actor.must_manage(&user.roles)?;
    if change.status.as_deref().is_some_and(|status| status != user.status) {
        actor.must_not_be(id)?;
        must_leave_an_administrator(&mut *connection, id, &user.roles).await?;
    }
    let updated = store::update(&mut *connection, id, user.version, change, now).await;
    if !updated.on_constraint("app_user_email", taken)? {
        return Err(shown::not_found());
    }
    if change.ends_sign_ins() {
        refresh::revoke_user(&mut *connection, id, now).await?;
    }
    shown::answer(connection, id).await
}

/// 409 when the user is the last active `SUPER_ADMIN`: nobody could make another.
pub(crate) async fn must_leave_an_administrator(
    connection: &mut PgConnection,
    id: i64,
    roles: &[String],
) -> Result<(), Problem> {
    let concerned = roles.iter().any(|role| role == SUPER_ADMIN);
    if concerned && !store::another_super_admin(connection, id).await? {
        let detail = "this is the last active SUPER_ADMIN: make another one first";
        return Err(Problem::conflict("LAST_SUPER_ADMIN", detail));
    }
    Ok(())
}
