//! Access tokens: what is in them, and which are good.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};

/// `iss` of every token.
pub const ISSUER: &str = "sluice-identity";
/// `aud` of every token.
pub const AUDIENCE: &str = "sluice";
/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 30;

/// What kind of caller a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person.
    User,
    /// A service account.
    Service,
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Always [`ISSUER`].
    pub iss: String,
    /// Always [`AUDIENCE`].
    pub aud: String,
    /// The user's or service account's id.
    pub sub: String,
    /// Which of the two.
    pub kind: Kind,
    /// Names of roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The merchants that an employee or cashier works for.
    #[serde(default)]
    pub merchants: Vec<crate::id::Id>,
    /// Issued at, Unix seconds.
    pub iat: i64,
    /// Not before, Unix seconds.
    pub nbf: i64,
    /// Expires, Unix seconds.
    pub exp: i64,
    /// The token's own id.
    pub jti: String,
}

/// Why a token was refused. For the metric; the caller hears only that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed,
    WrongAlgorithm,
    UnknownKey,
    Expired,
    Forged,
    WrongClaims,
}

impl Refusal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Expired => "expired",
            Self::Forged => "forged",
            Self::WrongClaims => "wrong_claims",
        }
    }
}

/// The `kid` of a token whose header is acceptable at all: ES256 and nothing else, so that `none` and the use of a
/// public key as an HMAC secret end here (RFC 8725 section 3.1).
pub(super) fn key_id(token: &str) -> Result<String, Refusal> {
    let header = jsonwebtoken::decode_header(token).map_err(|error| match error.kind() {
        // `none` is no algorithm that the library knows.
        jsonwebtoken::errors::ErrorKind::Json(_) | jsonwebtoken::errors::ErrorKind::InvalidAlgorithm => {
            Refusal::WrongAlgorithm
        }
        _ => Refusal::Malformed,
    })?;
    if header.alg != Algorithm::ES256 {
        return Err(Refusal::WrongAlgorithm);
    }
    header.kid.ok_or(Refusal::UnknownKey)
}

/// Verifies signature, issuer, audience and times.
pub(super) fn verify(token: &str, key: &DecodingKey) -> Result<Claims, Refusal> {
    use jsonwebtoken::errors::ErrorKind;
    let mut validation = Validation::new(Algorithm::ES256);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    let decoded = jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|error| match error.kind() {
        ErrorKind::ExpiredSignature => Refusal::Expired,
        ErrorKind::InvalidSignature => Refusal::Forged,
        ErrorKind::InvalidAlgorithm => Refusal::WrongAlgorithm,
        ErrorKind::InvalidToken | ErrorKind::Base64(_) | ErrorKind::Utf8(_) => Refusal::Malformed,
        _ => Refusal::WrongClaims,
    })?;
    Ok(decoded.claims)
}

/// Whether a token that was verified before is still in its time.
pub(super) fn is_in_time(claims: &Claims, now: i64) -> bool {
    let leeway = i64::try_from(LEEWAY).unwrap_or(0);
    now < claims.exp + leeway && now + leeway >= claims.nbf
}
