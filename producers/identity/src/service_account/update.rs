//! `PATCH /service-accounts/{id}`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Checks, Id, IfMatch, IfMatchHeader, Json, Path, Problem};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::shown::{self, ServiceAccount};
use super::store;
use crate::actor::Actor;
use crate::role;
use crate::state::App;
use crate::user::list::Status;

/// What is changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceAccountPatch {
    #[schema(max_length = 500)]
    description: Option<String>,
    /// `DISABLED` refuses its secret from now on. Shells forget the token that they hold within a quarter of an hour.
    status: Option<Status>,
    /// All roles that it shall have.
    #[schema(max_items = 20)]
    roles: Option<Vec<String>>,
}

/// Changes, disables or enables a service account that ranks below the caller.
#[utoipa::path(patch, path = "/service-accounts/{id}", tag = "service accounts",
    params(("id" = Id, Path), IfMatchHeader), request_body = ServiceAccountPatch,
    responses((status = 200, body = ServiceAccount)))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(patch): Json<ServiceAccountPatch>,
) -> Result<Answer, Problem> {
    caller.may("service-account", "update").await?;
    let few = patch.roles.as_ref().is_none_or(|roles| roles.len() <= 20);
    Checks::new()
        .length(patch.description.as_deref().unwrap_or_default(), 0, 500, "/description")
        .that(few, "/roles", "TOO_MANY", "must be at most 20")
        .finish()?;
    let (actor, now) = (Actor::of(&app.pool, &caller).await?, app.clock.now());
    actor.must_administer()?;
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move { apply(transaction, actor, id.0, &if_match, &patch, now).await })
    })
    .await
}

async fn apply(
    connection: &mut PgConnection,
    actor: Actor,
    id: i64,
    if_match: &IfMatch,
    patch: &ServiceAccountPatch,
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    let account = shown::locked(&mut *connection, id, if_match).await?;
    actor.must_manage(&account.roles)?;
    if patch.status.is_some() || patch.roles.is_some() {
        actor.must_not_be(id)?;
    }
    if let Some(roles) = &patch.roles {
        actor.must_grant(&account.roles, roles)?;
        role::grantable(&mut *connection, roles).await?;
        store::set_roles(&mut *connection, id, roles, actor.id, now).await?;
    }
    let (description, status) = (patch.description.as_deref(), patch.status.map(Status::as_str));
    if !store::update(&mut *connection, id, account.version, description, status, now).await? {
        return Err(shown::not_found());
    }
    store::find(connection, id).await?.map(shown::answer).ok_or_else(shown::not_found)
}
