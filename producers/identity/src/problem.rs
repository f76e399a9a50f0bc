//! What failures of the domain become for a caller.

use axum::http::{HeaderValue, StatusCode, header};
use shell::Problem;

use crate::password::check::CheckError;
use crate::password::strength::Weakness;
use crate::signing_key::ring::RingError;
use crate::token::GrantError;

/// 401: one sentence, whatever it was.
#[must_use]
pub(crate) fn refused() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "CREDENTIALS_REFUSED", "the credentials are not valid")
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sluice\""))
}

impl From<GrantError> for Problem {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Refused => refused(),
            GrantError::Throttled(throttled) => {
                let seconds = u32::try_from(throttled.retry_after.as_secs()).unwrap_or(u32::MAX);
                Self::too_many(seconds.max(1))
            }
            GrantError::Overloaded => CheckError::Overloaded.into(),
            GrantError::Database(error) => error.into(),
            GrantError::Signing(error) => error.into(),
            GrantError::Unleased(error) => error.into(),
            GrantError::Checker => CheckError::Failed.into(),
        }
    }
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Overloaded => {
                Self::unavailable("OVERLOADED", "too many sign-ins at once; try again in a moment", 2)
            }
            CheckError::Failed => {
                tracing::error!("argon2 failed");
                Self::internal()
            }
        }
    }
}

impl From<RingError> for Problem {
    fn from(error: RingError) -> Self {
        match error {
            RingError::Database(error) => error.into(),
            RingError::Unleased(error) => error.into(),
            RingError::Raced => {
                Self::conflict("KEY_ROTATED", "the key was rotated by somebody else at the same moment; look again")
            }
            error @ (RingError::Sealed { .. } | RingError::Key(_)) => {
                tracing::error!(%error, "nothing can be signed");
                Self::internal()
            }
        }
    }
}

/// 422 for a password that is refused, with the sentence that says why.
#[must_use]
pub(crate) fn weak(pointer: &str, weakness: Weakness) -> Problem {
    Problem::invalid(pointer, "WEAK_PASSWORD", weakness.to_string())
}
