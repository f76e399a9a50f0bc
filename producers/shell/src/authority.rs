//! Who says who a caller is and what roles may do: identity. Its keys and its policies are held in memory, so that a
//! shell decides while identity (and Redis) is down; only a shell that has never had them answers 503.

mod bundle;
mod gate;
mod keys;
mod policies;
mod refresh;
mod remote;
mod token;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use bundle::{BUNDLE_TYPE, Bundle, Rule};
pub use gate::Gate;
pub use policies::{MODEL, Policies};
pub use remote::RemoteAuthority;
pub use token::{AUDIENCE, Claims, ISSUER, Kind};

/// A public key of identity's, as `/jwks.json` shows it (RFC 7517; EC keys of RFC 7518 section 6.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// `EC`.
    pub kty: String,
    /// `P-256`.
    pub crv: String,
    /// The point's x, base64url.
    pub x: String,
    /// The point's y, base64url.
    pub y: String,
    /// The key's name, in the header of what it signed.
    pub kid: String,
    /// `ES256`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

/// The keys that verify now: the current one, and older ones until their tokens have expired.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// Why identity gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// It is out of reach, or answered nonsense; trying again may help.
    #[error("identity is out of reach: {0}")]
    Unreachable(String),
    /// It refused the credentials.
    #[error("identity refused the credentials")]
    Refused,
}

/// Where keys, policies and service accounts' tokens come from: [`RemoteAuthority`] in every shell but identity's own,
/// which gives its own in process.
#[async_trait]
pub trait Authority: Send + Sync + 'static {
    /// The keys that verify now.
    async fn keys(&self) -> Result<Jwks, AuthorityError>;
    /// The signed policies: a compact JWS of a [`Bundle`], `typ` being [`BUNDLE_TYPE`].
    async fn bundle(&self) -> Result<String, AuthorityError>;
    /// An access token for a service account. `authorization` is the caller's header, `Basic ...`.
    async fn exchange(&self, authorization: &SecretString) -> Result<String, AuthorityError>;
}
