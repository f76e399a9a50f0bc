//! `POST /policies`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, IdempotencyHeader, OnConstraint as _, Once, Problem};
use utoipa::ToSchema;

use super::shown::{self, Effect, Policy};
use super::store::{self, Definition};
use crate::actor::Actor;
use crate::role;
use crate::state::App;

/// A definition to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPolicy {
    /// A role that is governed by policies: not `SUPER_ADMIN` and not `ADMIN`.
    #[schema(min_length = 2, max_length = 40)]
    role: String,
    /// Name of a service.
    #[schema(min_length = 2, max_length = 40)]
    service: String,
    /// A resource of it, or `*`.
    #[schema(pattern = r"^(\*|[a-z][a-z0-9_-]{0,59})$")]
    resource: String,
    /// An action on it, or `*`.
    #[schema(pattern = r"^(\*|[a-z][a-z0-9_-]{0,59})$")]
    action: String,
    effect: Effect,
}

impl From<NewPolicy> for Definition {
    fn from(new: NewPolicy) -> Self {
        let NewPolicy { role, service, resource, action, effect } = new;
        Self { role, service, resource, action, effect: effect.as_str().to_owned() }
    }
}

/// Makes a policy definition. Shells decide by it within half a minute, and at once where the change reaches them through
/// its capture.
#[utoipa::path(post, path = "/policies", tag = "policies", params(IdempotencyHeader), request_body = NewPolicy,
    responses((status = 201, body = Policy)))]
pub(crate) async fn create(State(app): State<App>, caller: Caller, once: Once<NewPolicy>) -> Result<Answer, Problem> {
    caller.may("policy", "create").await?;
    let definition = Definition::from(once.body);
    shown::check(&definition)?;
    Actor::of(&app.pool, &caller).await?.must_administer()?;
    let (id, now) = (app.snowflake.next_id()?, app.clock.now());
    let answer = once.key.once(&app.pool, move |transaction| {
        Box::pin(async move {
            if role::store::lock(transaction, std::slice::from_ref(&definition.role)).await?.is_empty() {
                return Err(Problem::invalid("/role", "NO_SUCH_ROLE", "there is no such role"));
            }
            let made = store::insert(&mut **transaction, id, &definition, now).await;
            let made = made.on_constraint("policy_definition", shown::exists)?;
            let location = format!("/v1/api/identity/policies/{id}");
            Ok(Answer::created(&Policy::from(made)).etag(1).location(location))
        })
    });
    let answer = answer.await?;
    app.apply_now().await;
    Ok(answer)
}
