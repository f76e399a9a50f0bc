//! `PATCH /policies/{id}`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Json, OnConstraint as _, Path, Problem};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::shown::{self, Effect, Policy};
use super::store::{self, Definition};
use crate::actor::Actor;
use crate::state::App;

/// What is changed; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyPatch {
    #[schema(pattern = r"^(\*|[a-z][a-z0-9_-]{0,59})$")]
    resource: Option<String>,
    #[schema(pattern = r"^(\*|[a-z][a-z0-9_-]{0,59})$")]
    action: Option<String>,
    effect: Option<Effect>,
}

/// Changes a policy definition. Role and service stay: for others, make another one.
#[utoipa::path(patch, path = "/policies/{id}", tag = "policies", params(("id" = Id, Path), IfMatchHeader),
    request_body = PolicyPatch, responses((status = 200, body = Policy)))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(patch): Json<PolicyPatch>,
) -> Result<Answer, Problem> {
    caller.may("policy", "update").await?;
    Actor::of(&app.pool, &caller).await?.must_administer()?;
    let now = app.clock.now();
    let answer = shell::write(&app.pool, move |transaction| {
        Box::pin(async move { apply(transaction, id.0, &if_match, patch, now).await })
    });
    let answer = answer.await?;
    app.apply_now().await;
    Ok(answer)
}

async fn apply(
    connection: &mut PgConnection,
    id: i64,
    if_match: &IfMatch,
    patch: PolicyPatch,
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    store::lock(&mut *connection, id).await?;
    let row = store::find(&mut *connection, id).await?.ok_or_else(shown::not_found)?;
    if_match.check(row.version)?;
    let definition = Definition {
        role: row.role,
        service: row.service,
        resource: patch.resource.unwrap_or(row.resource),
        action: patch.action.unwrap_or(row.action),
        effect: patch.effect.map_or(row.effect, |effect| effect.as_str().to_owned()),
    };
    shown::check(&definition)?;
    let updated = store::update(connection, id, row.version, &definition, now).await;
    updated.on_constraint("policy_definition", shown::exists)?.map(shown::answer).ok_or_else(shown::not_found)
}
