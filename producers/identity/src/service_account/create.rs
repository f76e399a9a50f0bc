//! `POST /service-accounts`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Checks, IdempotencyHeader, OnConstraint as _, Once, Problem};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::shown::{self, ServiceAccount};
use super::store::{self, AccountRow, NewAccount};
use crate::actor::Actor;
use crate::state::App;
use crate::{role, secret};

/// A service account to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewServiceAccount {
    /// The BASIC user name. Never changes, and is never given again.
    #[schema(pattern = "^[a-z][a-z0-9-]{1,59}$")]
    name: String,
    #[serde(default)]
    #[schema(max_length = 500)]
    description: String,
    /// Names of roles, below the caller's own.
    #[schema(max_items = 20)]
    roles: Vec<String>,
}

/// Makes a service account. The answer shows its secret, once: a request that is repeated with the same
/// `Idempotency-Key` is answered without it, because the secret is kept nowhere. Rotate it when it was missed.
#[utoipa::path(post, path = "/service-accounts", tag = "service accounts", params(IdempotencyHeader),
    request_body = NewServiceAccount, responses((status = 201, body = ServiceAccount)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    once: Once<NewServiceAccount>,
) -> Result<Answer, Problem> {
    caller.may("service-account", "create").await?;
    let Once { key, body: new } = once;
    new.check()?;
    let actor = Actor::of(&app.pool, &caller).await?;
    actor.must_administer()?;
    actor.must_grant(&[], &new.roles)?;
    let (secret, now) = (secret::generate(&*app.random, secret::SERVICE_SECRET), app.clock.now());
    let (account, roles) = new.account(app.snowflake.next_id()?, &secret, actor.id);
    let made = Arc::new(Mutex::new(None));
    let keep = made.clone();
    let answer = key.once(&app.pool, move |transaction| {
        Box::pin(async move {
            let row = insert(transaction, &account, &roles, now).await?;
            *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(row.clone());
            Ok(created(&row.into()))
        })
    });
    let answer = answer.await?;
    let made = made.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(revealed(answer, made, secret))
}

/// The answer with the secret in it, if it is the account made just now, and not one that is replayed.
fn revealed(answer: Answer, made: Option<AccountRow>, secret: String) -> Answer {
    match made {
        Some(row) if created(&row.clone().into()) == answer => created(&ServiceAccount::with_secret(row, secret)),
        _ => answer,
    }
}

fn created(account: &ServiceAccount) -> Answer {
    let location = format!("/v1/api/identity/service-accounts/{}", account.id());
    Answer::created(account).etag(1).location(location)
}

impl NewServiceAccount {
    fn check(&self) -> Result<(), Problem> {
        let first = self.name.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = self.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let named = first && rest && (2..=60).contains(&self.name.len());
        Checks::new()
            .that(named, "/name", "NAME", "must be 2 to 60 of a-z, 0-9 and -, beginning with a letter")
            .length(&self.description, 0, 500, "/description")
            .that(self.roles.len() <= 20, "/roles", "TOO_MANY", "must be at most 20")
            .finish()
    }

    fn account(self, id: i64, secret: &str, created_by: i64) -> (NewAccount, Vec<String>) {
        let Self { name, description, roles } = self;
        (NewAccount { id, name, description, secret_hash: secret::digest(secret), created_by }, roles)
    }
}

async fn insert(
    connection: &mut PgConnection,
    account: &NewAccount,
    roles: &[String],
    now: OffsetDateTime,
) -> Result<AccountRow, Problem> {
    role::grantable(&mut *connection, roles).await?;
    let taken = || Problem::taken("/name", "NAME_TAKEN", "a service account has or had this name");
    store::insert(&mut *connection, account, now).await.on_constraint("service_account_name", taken)?;
    store::set_roles(&mut *connection, account.id, roles, account.created_by, now).await?;
    store::find(connection, account.id).await?.ok_or_else(shown::not_found)
}
