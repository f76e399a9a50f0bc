//! `POST /integrations/reseal`: after a key was rotated, every credential is sealed again with the new one.

use axum::extract::State;
use metrics::counter;
use platform::metric::COMMERCE_CREDENTIAL_FAILURES;
use platform::sealing::Keyring;
use serde::Serialize;
use shell::{Answer, Caller, Problem};
use utoipa::ToSchema;

use super::{credential::place, rows};
use crate::Commerce;

/// What sealing again did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Resealed {
    /// The id of the key that seals now.
    pub key_id: String,
    /// How many credentials were sealed again.
    pub renewed: u64,
    /// How many did not open with any key that is held. They stay as they are; enter them again.
    pub failed: u64,
}

/// Seal every credential with the current key. For administrators; the key before must still be configured
/// (`APP_ENV_APPLICATION_SECRET_PREVIOUS`). Safe to repeat, and to run twice at once.
#[utoipa::path(
    post, path = "/integrations/reseal", tag = "integrations", operation_id = "reseal_credentials",
    responses((status = 200, description = "What was done.", body = Resealed)),
)]
pub(super) async fn reseal(caller: Caller, State(commerce): State<Commerce>) -> Result<Answer, Problem> {
    let scope = caller.may("integration", "reseal").await?;
    if !scope.is_all() {
        return Err(Problem::forbidden());
    }
    let key_id = hex::encode(commerce.keyring.current_id());
    let mut done = Resealed { key_id, renewed: 0, failed: 0 };
    let mut after = 0;
    while let Some((last, renewed, failed)) = reseal_some(&commerce, done.key_id.clone(), after).await? {
        (after, done.renewed, done.failed) = (last, done.renewed + renewed, done.failed + failed);
    }
    Ok(Answer::ok(&done))
}

/// One transaction of up to a hundred: the last id looked at, how many were sealed again, how many did not open.
async fn reseal_some(commerce: &Commerce, key_id: String, after: i64) -> Result<Option<(i64, u64, u64)>, Problem> {
    let keyring = commerce.keyring.clone();
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let rows = rows::lock_sealed_otherwise(&mut **transaction, &key_id, after).await?;
            let Some(last) = rows.last().map(|row| row.0) else { return Ok(None) };
            let found = rows.len() as u64;
            let (ids, sealed): (Vec<_>, Vec<_>) = rows.into_iter().filter_map(|row| again(&keyring, row)).unzip();
            let resealed = rows::write_resealed(&mut **transaction, &key_id, &ids, &sealed).await?;
            Ok(Some((last, resealed, found - resealed)))
        })
    })
    .await
}

fn again(keyring: &Keyring, (id, sealed): (i64, Vec<u8>)) -> Option<(i64, Vec<u8>)> {
    match keyring.reseal(place(id), &sealed) {
        Ok(resealed) => Some((id, resealed.unwrap_or(sealed))),
        Err(error) => {
            counter!(COMMERCE_CREDENTIAL_FAILURES, "reason" => "reseal").increment(1);
            tracing::error!(integrationId = id, %error, "[encryption failure] the credential of integration {id} does not open");
            None
        }
    }
}
