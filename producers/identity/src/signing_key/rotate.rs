//! `POST /signing-keys`.

use axum::extract::State;
use shell::{Answer, Caller, IdempotencyHeader, IdempotencyKey, Problem};

use super::list::SigningKey;
use crate::actor::Actor;
use crate::state::App;

/// Rotates: a new key signs from now on, the one before verifies until its tokens have expired.
#[utoipa::path(post, path = "/signing-keys", tag = "keys", params(IdempotencyHeader),
    responses((status = 201, body = SigningKey)))]
pub(crate) async fn rotate(State(app): State<App>, caller: Caller, key: IdempotencyKey) -> Result<Answer, Problem> {
    caller.may("signing-key", "rotate").await?;
    Actor::of(&app.pool, &caller).await?.must_administer()?;
    let (keys, now) = (app.keys.clone(), app.clock.now());
    let answer = key.once(&app.pool, move |transaction| {
        Box::pin(async move {
            let made = keys.rotate(transaction).await?;
            tracing::info!(kid = made.kid, "the signing key was rotated: {} signs from now on", made.kid);
            Ok(Answer::created(&SigningKey::of(made, now)).location("/v1/api/identity/signing-keys"))
        })
    });
    let answer = answer.await?;
    app.apply_now().await;
    Ok(answer)
}
