//! `PATCH /roles/{id}`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Checks, Id, IfMatch, IfMatchHeader, Json, Path, Problem};
use utoipa::ToSchema;

use super::shown::{self, Role};
use super::store;
use crate::actor::Actor;
use crate::state::App;

/// What is changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolePatch {
    #[schema(max_length = 500)]
    description: String,
}

/// Changes the description of a role.
#[utoipa::path(patch, path = "/roles/{id}", tag = "roles", params(("id" = Id, Path), IfMatchHeader),
    request_body = RolePatch, responses((status = 200, body = Role)))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(patch): Json<RolePatch>,
) -> Result<Answer, Problem> {
    caller.may("role", "update").await?;
    Checks::new().length(&patch.description, 0, 500, "/description").finish()?;
    Actor::of(&app.pool, &caller).await?.must_administer()?;
    let now = app.clock.now();
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move {
            store::lock_for_deletion(transaction, id.0).await?;
            let role = store::find(&mut **transaction, id.0).await?.ok_or_else(shown::not_found)?;
            if_match.check(role.version)?;
            let updated = store::describe(&mut **transaction, id.0, role.version, &patch.description, now).await?;
            updated.map(shown::answer).ok_or_else(shown::not_found)
        })
    })
    .await
}
