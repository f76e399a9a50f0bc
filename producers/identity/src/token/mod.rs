//! Tokens: who gets which, and how a refresh token is renewed.

pub mod access;
pub mod exchange;
pub(crate) mod grant;
pub mod refresh;
pub mod renew;
pub mod sign_in;

use platform::snowflake::Unleased;
use shell::Scope;
use shell::authority::Kind;
use sqlx::PgExecutor;

use crate::password::check::CheckError;
use crate::signing_key::keypair::KeyError;
use crate::signing_key::ring::RingError;
use crate::throttle::{ThrottleError, Throttled};
use crate::user::store;
use access::Subject;

/// What was granted.
#[derive(Debug, Clone)]
pub struct Granted {
    /// A JWT.
    pub access_token: String,
    /// Users get one, service accounts do not: they have their secret.
    pub refresh_token: Option<String>,
}

/// Why nothing was granted.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// Whatever the reason is, the caller hears the same: which part was wrong would tell which accounts exist.
    #[error("the credentials are not valid")]
    Refused,
    /// Too many failures.
    #[error(transparent)]
    Throttled(Throttled),
    /// Too many passwords are being checked.
    #[error("too many sign-ins at once")]
    Overloaded,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Nothing can be signed.
    #[error(transparent)]
    Signing(#[from] RingError),
    /// No id can be made now.
    #[error(transparent)]
    Unleased(#[from] Unleased),
    /// The library failed.
    #[error("a password could not be checked")]
    Checker,
}

impl From<KeyError> for GrantError {
    fn from(error: KeyError) -> Self {
        Self::Signing(error.into())
    }
}

impl From<ThrottleError> for GrantError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::Throttled(throttled) => Self::Throttled(throttled),
            ThrottleError::Database(error) => Self::Database(error),
        }
    }
}

impl From<CheckError> for GrantError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Overloaded => Self::Overloaded,
            CheckError::Failed => Self::Checker,
        }
    }
}

/// What is said of the user now, if it may act at all.
async fn user_subject(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<Subject>> {
    let user = store::find(executor, &Scope::All, id).await?;
    Ok(user.filter(|user| user.status == "ACTIVE").map(|user| Subject {
        id: user.id,
        kind: Kind::User,
        roles: user.roles,
        merchants: user.merchants,
    }))
}
