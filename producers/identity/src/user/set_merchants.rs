//! `PUT /users/{id}/merchants`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Checks, Id, IfMatch, IfMatchHeader, Json, Path, Problem, Scope};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::grant;
use super::shown::{self, User};
use super::store::{self, Change};
use crate::actor::Actor;
use crate::state::App;
use crate::token::refresh;

const MOST: usize = 100;

/// All merchants that the user shall work for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merchants {
    #[schema(max_items = 100)]
    merchant_ids: Vec<Id>,
}

/// Sets the merchants that a user works for. Administrators only: which owner a merchant has is known to commerce and
/// not here, so an owner could put its people into another's shop. Ends every sign-in of the user.
#[utoipa::path(put, path = "/users/{id}/merchants", tag = "users", params(("id" = Id, Path), IfMatchHeader),
    request_body = Merchants, responses((status = 200, body = User)))]
pub(crate) async fn set_merchants(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(wanted): Json<Merchants>,
) -> Result<Answer, Problem> {
    let scope = caller.may("user", "grant-merchants").await?;
    // They travel in every token.
    Checks::new()
        .that(wanted.merchant_ids.len() <= MOST, "/merchant_ids", "TOO_MANY", "must be at most 100")
        .finish()?;
    let (actor, now) = (Actor::of(&app.pool, &caller).await?, app.clock.now());
    actor.must_administer()?;
    let merchants: Vec<i64> = wanted.merchant_ids.into_iter().map(i64::from).collect();
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move { apply(transaction, actor, &scope, id.0, &if_match, &merchants, now).await })
    })
    .await
}

async fn apply(
    connection: &mut PgConnection,
    actor: Actor,
    scope: &Scope,
    id: i64,
    if_match: &IfMatch,
    merchants: &[i64],
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    let user = shown::locked(&mut *connection, scope, id, if_match).await?;
    actor.must_not_be(id)?;
    actor.must_manage(&user.roles)?;
    grant::set_merchants(&mut *connection, id, merchants, actor.id, now).await?;
    store::update(&mut *connection, id, user.version, &Change::default(), now).await?;
    refresh::revoke_user(&mut *connection, id, now).await?;
    shown::answer(connection, id).await
}
