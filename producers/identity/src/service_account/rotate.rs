//! `POST /service-accounts/{id}/secret`.

use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Checks, Id, IfMatch, IfMatchHeader, Json, Path, Problem};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::shown::{self, ServiceAccount};
use super::store;
use crate::actor::Actor;
use crate::secret;
use crate::state::App;

const DAY: u32 = 24 * 60 * 60;

/// How it is rotated.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// For how many seconds the old secret stays good, so that a rollout needs no outage. 0 ends it now, as after a leak.
    #[schema(minimum = 0, maximum = 86400)]
    keep_old_for_seconds: u32,
}

/// Makes a new secret, and shows it once. Safe to repeat because of `If-Match`: the second time answers 412.
#[utoipa::path(post, path = "/service-accounts/{id}/secret", tag = "service accounts",
    params(("id" = Id, Path), IfMatchHeader), request_body = Rotation, responses((status = 200, body = ServiceAccount)))]
pub(crate) async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(rotation): Json<Rotation>,
) -> Result<Answer, Problem> {
    caller.may("service-account", "rotate").await?;
    let keep = rotation.keep_old_for_seconds;
    Checks::new().that(keep <= DAY, "/keep_old_for_seconds", "TOO_LONG", "must be at most 86400").finish()?;
    let (actor, now) = (Actor::of(&app.pool, &caller).await?, app.clock.now());
    actor.must_administer()?;
    let secret = secret::generate(&*app.random, secret::SERVICE_SECRET);
    let until = (keep > 0).then(|| now + Duration::from_secs(keep.into()));
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move { apply(transaction, actor, id.0, &if_match, secret, until, now).await })
    })
    .await
}

async fn apply(
    connection: &mut PgConnection,
    actor: Actor,
    id: i64,
    if_match: &IfMatch,
    secret: String,
    until: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    let account = shown::locked(&mut *connection, id, if_match).await?;
    actor.must_manage(&account.roles)?;
    if !store::rotate(&mut *connection, id, account.version, &secret::digest(&secret), until, now).await? {
        return Err(shown::not_found());
    }
    let account = store::find(connection, id).await?.ok_or_else(shown::not_found)?;
    let version = account.version;
    Ok(Answer::ok(&ServiceAccount::with_secret(account, secret)).etag(version))
}
