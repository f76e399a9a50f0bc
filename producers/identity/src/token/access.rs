//! Access tokens: what they say, and for how long.

use std::time::Duration;

use platform::random::Random;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::secret;
use crate::signing_key::keypair::{KeyError, KeyPair};

/// `iss` of every token.
pub const ISSUER: &str = "sluice-identity";
/// `aud` of every token.
pub const AUDIENCE: &str = "sluice";
/// How long an access token is good for. It cannot be called back before: a role taken away is gone by then.
pub const LIFETIME: Duration = Duration::from_mins(15);
/// How far the clocks of whoever verifies may be off.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The user's or service account's id.
    pub id: i64,
    /// `user` or `service`.
    pub kind: &'static str,
    /// Names of roles.
    pub roles: Vec<String>,
    /// Merchants that the subject works for.
    pub merchants: Vec<i64>,
}

/// The claims (RFC 7519 section 4.1, and ours).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// [`ISSUER`].
    pub iss: String,
    /// [`AUDIENCE`].
    pub aud: String,
    /// The subject's id; ids are strings wherever JSON is, because JavaScript's numbers end at 2^53.
    pub sub: String,
    /// `user` or `service`.
    pub kind: String,
    /// Names of roles.
    pub roles: Vec<String>,
    /// Ids of merchants.
    pub merchants: Vec<String>,
    /// Issued, seconds since 1970.
    pub iat: i64,
    /// Not before, seconds since 1970.
    pub nbf: i64,
    /// Expires, seconds since 1970.
    pub exp: i64,
    /// One per token, random.
    pub jti: String,
}

impl Claims {
    /// What is said of the subject now.
    #[must_use]
    pub fn of(subject: &Subject, now: OffsetDateTime, random: &dyn Random) -> Self {
        let iat = now.unix_timestamp();
        Self {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: subject.id.to_string(),
            kind: subject.kind.into(),
            roles: subject.roles.clone(),
            merchants: subject.merchants.iter().map(i64::to_string).collect(),
            iat,
            nbf: iat,
            exp: (now + LIFETIME).unix_timestamp(),
            jti: format!("{:032x}", u128::from_be_bytes(secret::bytes::<16>(random))),
        }
    }
}

/// A signed access token.
pub fn issue(
    key: &KeyPair,
    subject: &Subject,
    now: OffsetDateTime,
    random: &dyn Random,
) -> Result<String, KeyError> {
    key.sign("JWT", &Claims::of(subject, now, random))
}

#[cfg(test)]
mod tests {
    use platform::random::SystemRandom;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_claims_are_those_of_the_contract() {
        let subject = Subject { id: 7, kind: "user", roles: vec!["CASHIER".into()], merchants: vec![i64::MAX] };
        let claims = Claims::of(&subject, datetime!(2026-11-21 08:00 UTC), &SystemRandom);
        assert_eq!((claims.iss.as_str(), claims.aud.as_str()), ("sluice-identity", "sluice"));
        assert_eq!((claims.sub.as_str(), claims.kind.as_str()), ("7", "user"));
        assert_eq!(claims.merchants, [i64::MAX.to_string()]);
        assert_eq!((claims.nbf, claims.exp - claims.iat), (claims.iat, 900));
        assert_ne!(claims.jti, Claims::of(&subject, datetime!(2026-11-21 08:00 UTC), &SystemRandom).jti);
    }
}
