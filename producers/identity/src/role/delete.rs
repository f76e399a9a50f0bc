//! `DELETE /roles/{id}`.

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::store::Uses;
use super::{shown, store};
use crate::actor::Actor;
use crate::state::App;

/// Deletes a role that nobody has and no policy definition is about; 409 says what is in the way otherwise.
#[utoipa::path(delete, path = "/roles/{id}", tag = "roles", params(("id" = Id, Path), IfMatchHeader),
    responses((status = 204, description = "It is deleted.")))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    caller.may("role", "delete").await?;
    Actor::of(&app.pool, &caller).await?.must_administer()?;
    let now = app.clock.now();
    let answer = shell::write(&app.pool, move |transaction| {
        Box::pin(async move { apply(transaction, id.0, &if_match, now).await })
    });
    let answer = answer.await?;
    app.apply_now().await;
    Ok(answer)
}

async fn apply(
    connection: &mut PgConnection,
    id: i64,
    if_match: &IfMatch,
    now: OffsetDateTime,
) -> Result<Answer, Problem> {
    store::lock_for_deletion(&mut *connection, id).await?;
    let role = store::find(&mut *connection, id).await?.ok_or_else(shown::not_found)?;
    if_match.check(role.version)?;
    if role.built_in {
        return Err(Problem::conflict("ROLE_BUILT_IN", "a built-in role cannot be deleted"));
    }
    let uses = store::uses(&mut *connection, &role.name).await?;
    if uses != (Uses { users: 0, service_accounts: 0, policies: 0 }) {
        let in_use = Problem::conflict("ROLE_IN_USE", "take the role from everybody and delete its policies first");
        let in_use = in_use.with("users", uses.users).with("service_accounts", uses.service_accounts);
        return Err(in_use.with("policies", uses.policies));
    }
    if !store::delete(connection, id, role.version, now).await? {
        return Err(shown::not_found());
    }
    Ok(Answer::no_content())
}
