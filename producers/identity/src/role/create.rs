//! `POST /roles`.

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Checks, IdempotencyHeader, Once, Problem};
use utoipa::ToSchema;

use super::shown::Role;
use super::store;
use crate::actor::Actor;
use crate::state::App;

/// A role to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRole {
    /// Never changes. The name of a deleted role brings that one back.
    #[schema(pattern = "^[A-Z][A-Z0-9_]{1,39}$")]
    name: String,
    #[serde(default)]
    #[schema(max_length = 500)]
    description: String,
}

/// Makes a role. It may nothing until policy definitions say so, and never more in identity than an employee.
#[utoipa::path(post, path = "/roles", tag = "roles", params(IdempotencyHeader), request_body = NewRole,
    responses((status = 201, body = Role)))]
pub(crate) async fn create(State(app): State<App>, caller: Caller, once: Once<NewRole>) -> Result<Answer, Problem> {
    caller.may("role", "create").await?;
    let Once { key, body: new } = once;
    new.check()?;
    Actor::of(&app.pool, &caller).await?.must_administer()?;
    let (id, now) = (app.snowflake.next_id()?, app.clock.now());
    let answer = key.once(&app.pool, move |transaction| {
        Box::pin(async move {
            let made = store::insert(&mut **transaction, id, &new.name, &new.description, now).await?;
            let made = made.ok_or_else(|| Problem::taken("/name", "NAME_TAKEN", "another role has this name"))?;
            let (location, version) = (format!("/v1/api/identity/roles/{}", made.id), made.version);
            Ok(Answer::created(&Role::from(made)).etag(version).location(location))
        })
    });
    let answer = answer.await?;
    app.apply_now().await;
    Ok(answer)
}

impl NewRole {
    fn check(&self) -> Result<(), Problem> {
        Checks::new()
            .that(is_name(&self.name), "/name", "NAME", "must be 2 to 40 of A-Z, 0-9 and _, beginning with a letter")
            .length(&self.description, 0, 500, "/description")
            .finish()
    }
}

fn is_name(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_uppercase());
    let rest = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    first && rest && (2..=40).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_capitals() {
        assert!(is_name("WAREHOUSE_2"));
        for name in ["", "A", "warehouse", "2ND", "_A", "KHO HÀNG", &"A".repeat(41)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
