//! A refresh token is exchanged for new tokens.

use std::sync::Arc;

use platform::postgres;
use platform::random::Random;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::access::{self, Subject};
use super::refresh::{self, Redeemed};
use super::{GrantError, Granted, user_subject};
use crate::state::Identity;

/// Grants new tokens for a refresh token that was not used yet, with the roles of now. One that was used before ends its
/// whole sign-in.
pub async fn renew(identity: &Identity, token: String) -> Result<Granted, GrantError> {
    let signer = identity.keys.signer().await?;
    let (id, now, random) = (identity.snowflake.next_id()?, identity.clock.now(), identity.random.clone());
    let write = postgres::write(&identity.pool, move |transaction| {
        Box::pin(async move { exchange(transaction, &random, &token, id, now).await })
    });
    // Refusals commit too: the family that a reused token belongs to is revoked by this very transaction.
    let Some((subject, refresh_token)) = write.await? else { return Err(GrantError::Refused) };
    let access_token = access::issue(&signer, &subject, now, &*identity.random)?;
    Ok(Granted { access_token, refresh_token: Some(refresh_token) })
}

async fn exchange(
    connection: &mut PgConnection,
    random: &Arc<dyn Random>,
    token: &str,
    id: i64,
    now: OffsetDateTime,
) -> Result<Option<(Subject, String)>, GrantError> {
    let used = match refresh::redeem(connection, token, now).await? {
        Redeemed::Used(used) => used,
        Redeemed::Reused { user_id, family_id } => {
            tracing::warn!(user_id, family_id, "a used refresh token came back: its sign-in was ended");
            return Ok(None);
        }
        Redeemed::Refused => return Ok(None),
    };
    let Some(subject) = user_subject(&mut *connection, used.user_id).await? else { return Ok(None) };
    let token = refresh::renew(&mut *connection, &**random, id, used, now).await?;
    Ok(Some((subject, token)))
}
