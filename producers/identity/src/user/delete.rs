//! `DELETE /users/{id}`.

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem, Scope};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::update::must_leave_an_administrator;
use super::{shown, store};
use crate::actor::Actor;
use crate::state::App;
use crate::token::refresh;

/// Deletes a user who ranks below the caller: it signs in no more, and its address is free again. The row stays, because
/// other rows name it.
#[utoipa::path(delete, path = "/users/{id}", tag = "users", params(("id" = Id, Path), IfMatchHeader),
    responses((status = 204, description = "It is deleted.")))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    let scope = caller.may("user", "delete").await?;
    let (actor, now) = (Actor::of(&app.pool, &caller).await?, app.clock.now());
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move { apply(transaction, actor, &scope, id.0, &if_match, now).await })
    })
    .await
}

async fn apply(
    connection: &mut PgConnection,
    actor: Actor,
    scope: &Scope,
    id: i64,
    if_match: &IfMatch,
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    let user = shown::locked(&mut *connection, scope, id, if_match).await?;
    actor.must_manage(&user.roles)?;
    actor.must_not_be(id)?;
    must_leave_an_administrator(&mut *connection, id, &user.roles).await?;
    if !store::delete(&mut *connection, id, user.version, now).await? {
        return Err(shown::not_found());
    }
    refresh::revoke_user(&mut *connection, id, now).await?;
    Ok(Answer::no_content())
}
