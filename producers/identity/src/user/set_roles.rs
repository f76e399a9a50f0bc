//! `PUT /users/{id}/roles`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Checks, Id, IfMatch, IfMatchHeader, Json, Path, Problem, Scope};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::grant;
use super::shown::{self, User};
use super::store::{self, Change};
use super::update::must_leave_an_administrator;
use crate::actor::Actor;
use crate::rank::SUPER_ADMIN;
use crate::role;
use crate::state::App;
use crate::token::refresh;

/// All roles that the user shall have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Roles {
    /// Names of roles.
    #[schema(max_items = 20)]
    roles: Vec<String>,
}

/// Sets the roles of a user who ranks below the caller, to roles below the caller's own. Ends every sign-in of the user;
/// an access token that it has keeps its roles until it expires, for a quarter of an hour at most.
#[utoipa::path(put, path = "/users/{id}/roles", tag = "users", params(("id" = Id, Path), IfMatchHeader),
    request_body = Roles, responses((status = 200, body = User)))]
pub(crate) async fn set_roles(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(wanted): Json<Roles>,
) -> Result<Answer, Problem> {
    let scope = caller.may("user", "grant-roles").await?;
    Checks::new().that(wanted.roles.len() <= 20, "/roles", "TOO_MANY", "must be at most 20").finish()?;
    let (actor, now) = (Actor::of(&app.pool, &caller).await?, app.clock.now());
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move { apply(transaction, actor, &scope, id.0, &if_match, &wanted.roles, now).await })
    })
    .await
}

async fn apply(
    connection: &mut PgConnection,
    actor: Actor,
    scope: &Scope,
    id: i64,
    if_match: &IfMatch,
    wanted: &[String],
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    let user = shown::locked(&mut *connection, scope, id, if_match).await?;
    actor.must_not_be(id)?;
    actor.must_manage(&user.roles)?;
    actor.must_grant(&user.roles, wanted)?;
    if !wanted.iter().any(|role| role == SUPER_ADMIN) {
        must_leave_an_administrator(&mut *connection, id, &user.roles).await?;
    }
    role::grantable(&mut *connection, wanted).await?;
    grant::set_roles(&mut *connection, id, wanted, actor.id, now).await?;
    store::update(&mut *connection, id, user.version, &Change::default(), now).await?;
    refresh::revoke_user(&mut *connection, id, now).await?;
    shown::answer(connection, id).await
}
