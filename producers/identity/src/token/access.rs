//! Access tokens: what they say, and for how long.

use std::time::Duration;

use platform::random::Random;
use shell::Id;
use shell::authority::{AUDIENCE, Claims, ISSUER, Kind};
use time::OffsetDateTime;

use crate::secret;
use crate::signing_key::keypair::{KeyError, KeyPair};

/// How long an access token is good for. It cannot be called back before: a role taken away is gone by then.
pub const LIFETIME: Duration = Duration::from_mins(15);
/// How far the clocks of whoever verifies may be off.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The user's or service account's id.
    pub id: i64,
    /// Which of the two.
    pub kind: Kind,
    /// Names of roles.
    pub roles: Vec<String>,
    /// Merchants that the subject works for.
    pub merchants: Vec<i64>,
}

/// What is said of the subject now.
#[must_use]
pub fn claims(subject: &Subject, now: OffsetDateTime, random: &dyn Random) -> Claims {
    let iat = now.unix_timestamp();
    Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: subject.id.to_string(),
        kind: subject.kind,
        roles: subject.roles.clone(),
        merchants: subject.merchants.iter().copied().map(Id).collect(),
        iat,
        nbf: iat,
        exp: (now + LIFETIME).unix_timestamp(),
        jti: format!("{:032x}", u128::from_be_bytes(secret::bytes::<16>(random))),
    }
}

/// A signed access token.
pub fn issue(key: &KeyPair, subject: &Subject, now: OffsetDateTime, random: &dyn Random) -> Result<String, KeyError> {
    key.sign("JWT", &claims(subject, now, random))
}

#[cfg(test)]
mod tests {
    use platform::random::SystemRandom;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_claims_are_those_of_the_contract() {
        let subject = Subject { id: 7, kind: Kind::User, roles: vec!["CASHIER".into()], merchants: vec![8] };
        let made = || claims(&subject, datetime!(2026-11-21 08:00 UTC), &SystemRandom);
        let json = serde_json::to_value(made()).unwrap();
        assert_eq!((&json["iss"], &json["aud"]), (&"sluice-identity".into(), &"sluice".into()));
        assert_eq!((&json["sub"], &json["kind"], &json["merchants"][0]), (&"7".into(), &"user".into(), &"8".into()));
        assert_eq!((made().nbf, made().exp - made().iat), (made().iat, 900));
        assert_ne!(made().jti, made().jti);
    }
}
