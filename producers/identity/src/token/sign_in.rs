//! A user signs in with a password.

use std::net::IpAddr;

use platform::postgres;
use sqlx::PgConnection;

use super::access::{self, Subject};
use super::{GrantError, Granted, refresh, user_subject};
use crate::password::hash;
use crate::state::Identity;
use crate::throttle::Attempt;
use crate::user::email;
use crate::user::store::{self, Credentials};

/// Grants tokens for the right password. An account that does not exist, is disabled or has another password is refused
/// alike: in words, in time, and in what is counted.
pub async fn sign_in(
    identity: &Identity,
    email: &str,
    password: String,
    address: Option<IpAddr>,
) -> Result<Granted, GrantError> {
    // What is no address belongs to nobody, and is counted and compared like the rest.
    let email = email::normalise(email).unwrap_or_else(|_| email.trim().to_lowercase());
    let attempt = Attempt::begin(&identity.pool, &identity.limits, &*identity.clock, &email, address).await?;
    let credentials = store::credentials_by_email(&identity.pool, &email).await?;
    let phc = credentials.as_ref().map(|credentials| credentials.password_hash.clone());
    let genuine = identity.passwords.verify(password.clone(), phc).await?;
    let credentials = credentials.filter(|credentials| genuine && credentials.status == "ACTIVE");
    let Some(credentials) = credentials else { return Err(GrantError::Refused) };
    attempt.succeeded(&identity.pool).await?;
    let credentials = refreshed(identity, credentials, password).await?;
    grant(identity, credentials).await
}

/// The credentials, hashed anew when the parameters are of yesterday: this is the one moment when the password is known.
async fn refreshed(
    identity: &Identity,
    mut credentials: Credentials,
    password: String,
) -> Result<Credentials, GrantError> {
    if hash::is_outdated(&credentials.password_hash) {
        let anew = identity.passwords.hash(password).await?;
        if store::rehash(&identity.pool, credentials.id, &credentials.password_hash, &anew).await? {
            credentials.password_hash = anew;
        }
    }
    Ok(credentials)
}

async fn grant(identity: &Identity, credentials: Credentials) -> Result<Granted, GrantError> {
    let signer = identity.keys.signer().await?;
    let (id, now, random) = (identity.snowflake.next_id()?, identity.clock.now(), identity.random.clone());
    let write = postgres::write(&identity.pool, move |transaction| {
        Box::pin(async move {
            let subject = still_valid(transaction, &credentials).await?.ok_or(GrantError::Refused)?;
            let token = refresh::begin(&mut **transaction, &*random, id, subject.id, now).await?;
            Ok::<_, GrantError>((subject, token))
        })
    });
    let (subject, refresh_token) = write.await?;
    let access_token = access::issue(&signer, &subject, now, &*identity.random)?;
    tracing::info!(user_id = subject.id, "signed in");
    Ok(Granted { access_token, refresh_token: Some(refresh_token) })
}

/// Looks again, alone with the user: the password that was verified a moment ago may have been changed since, which
/// ends every sign-in, and this one must not be begun after that end.
async fn still_valid(connection: &mut PgConnection, verified: &Credentials) -> sqlx::Result<Option<Subject>> {
    refresh::lock_user(&mut *connection, verified.id).await?;
    let now = store::credentials(&mut *connection, verified.id).await?;
    match now {
        Some(now) if now.password_hash == verified.password_hash => user_subject(connection, verified.id).await,
        _ => Ok(None),
    }
}
