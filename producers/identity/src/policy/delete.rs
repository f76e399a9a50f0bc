//! `DELETE /policies/{id}`.

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem};

use super::{shown, store};
use crate::actor::Actor;
use crate::state::App;

/// Deletes a policy definition.
#[utoipa::path(delete, path = "/policies/{id}", tag = "policies", params(("id" = Id, Path), IfMatchHeader),
    responses((status = 204, description = "It is deleted.")))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    caller.may("policy", "delete").await?;
    Actor::of(&app.pool, &caller).await?.must_administer()?;
    let now = app.clock.now();
    let answer = shell::write(&app.pool, move |transaction| {
        Box::pin(async move {
            store::lock(&mut **transaction, id.0).await?;
            let row = store::find(&mut **transaction, id.0).await?.ok_or_else(shown::not_found)?;
            if_match.check(row.version)?;
            let deleted = store::delete(&mut **transaction, id.0, row.version, now).await?;
            if deleted { Ok(Answer::no_content()) } else { Err(shown::not_found()) }
        })
    });
    let answer = answer.await?;
    app.apply_now().await;
    Ok(answer)
}
