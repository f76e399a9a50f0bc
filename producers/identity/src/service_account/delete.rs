//! `DELETE /service-accounts/{id}`.

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem};

use super::{shown, store};
use crate::actor::Actor;
use crate::state::App;

/// Deletes a service account that ranks below the caller. Its name is not given again.
#[utoipa::path(delete, path = "/service-accounts/{id}", tag = "service accounts",
    params(("id" = Id, Path), IfMatchHeader), responses((status = 204, description = "It is deleted.")))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    caller.may("service-account", "delete").await?;
    let (actor, now) = (Actor::of(&app.pool, &caller).await?, app.clock.now());
    actor.must_administer()?;
    shell::write(&app.pool, move |transaction| {
        Box::pin(async move {
            let account = shown::locked(&mut *transaction, id.0, &if_match).await?;
            actor.must_manage(&account.roles)?;
            actor.must_not_be(id.0)?;
            let deleted = store::delete(&mut **transaction, id.0, account.version, now).await?;
            if deleted { Ok(Answer::no_content()) } else { Err(shown::not_found()) }
        })
    })
    .await
}
