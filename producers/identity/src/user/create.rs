//! `POST /users`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Checks, IdempotencyHeader, OnConstraint as _, Once, Problem, Scope};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::shown::{self, User};
use super::store::{self, NewUser};
use super::{email, grant};
use crate::actor::Actor;
use crate::password::strength;
use crate::role;
use crate::state::App;

/// A user to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// Unique, whatever its case.
    #[schema(min_length = 3, max_length = 254)]
    email: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// A sentence is good. Not one of the common ones, not the name of the account.
    #[schema(min_length = 12, max_length = 128)]
    password: String,
    /// Names of roles, below the caller's own.
    #[serde(default)]
    #[schema(max_items = 20)]
    roles: Vec<String>,
}

/// Makes a user. An owner makes employees and cashiers; an administrator then says for which merchants they work.
#[utoipa::path(post, path = "/users", tag = "users", params(IdempotencyHeader), request_body = NewAccount,
    responses((status = 201, body = User)))]
pub(crate) async fn create(State(app): State<App>, caller: Caller, once: Once<NewAccount>) -> Result<Answer, Problem> {
    caller.may("user", "create").await?;
    let Once { key, body: new } = once;
    let email = new.check()?;
    let actor = Actor::of(&app.pool, &caller).await?;
    // Somebody without a rank of its own makes nobody, even somebody without roles.
    actor.must_manage(&[])?;
    actor.must_grant(&[], &new.roles)?;
    let password_hash = app.passwords.hash(new.password).await?;
    let user = NewUser { id: app.snowflake.next_id()?, email, name: new.name, password_hash, created_by: actor.id };
    let (roles, now) = (new.roles, app.clock.now());
    key.once(&app.pool, move |transaction| Box::pin(async move { insert(transaction, &user, &roles, now).await })).await
}

impl NewAccount {
    fn check(&self) -> Result<String, Problem> {
        let (normalised, weakness) = (email::normalise(&self.email), strength::check(&self.password, &self.email));
        let mut checks = Checks::new();
        checks.length(self.name.trim(), 1, 200, "/name");
        checks.that(self.roles.len() <= 20, "/roles", "TOO_MANY", "must be at most 20");
        if let Err(fault) = &normalised {
            checks.wrong("/email", "NOT_AN_EMAIL", fault.to_string());
        }
        if let Err(weakness) = weakness {
            checks.wrong("/password", "WEAK_PASSWORD", weakness.to_string());
        }
        checks.finish()?;
        normalised.map_err(|fault| Problem::invalid("/email", "NOT_AN_EMAIL", fault.to_string()))
    }
}

async fn insert(
    connection: &mut PgConnection,
    user: &NewUser,
    roles: &[String],
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    role::grantable(&mut *connection, roles).await?;
    store::insert(&mut *connection, user, now).await.on_constraint("app_user_email", taken)?;
    grant::set_roles(&mut *connection, user.id, roles, user.created_by, now).await?;
    let made = store::find(connection, &Scope::All, user.id).await?.ok_or_else(shown::not_found)?;
    let location = format!("/v1/api/identity/users/{}", made.id);
    Ok(Answer::created(&User::from(made)).etag(1).location(location))
}

pub(crate) fn taken() -> Problem {
    Problem::taken("/email", "EMAIL_TAKEN", "another user has this e-mail address")
}
