//! What every endpoint of identity works with.

use std::net::IpAddr;
use std::ops::Deref;

use async_trait::async_trait;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use platform::clock::SharedClock;
use platform::random::SharedRandom;
use platform::snowflake::Snowflake;
use secrecy::{ExposeSecret as _, SecretString};
use shell::Kit;
use shell::authority::{Authority, AuthorityError, Jwks};
use sqlx::PgPool;

use crate::password::check::Checker;
use crate::policy::bundle::Bundles;
use crate::signing_key::ring::SigningKeys;
use crate::throttle::Limits;
use crate::token::{GrantError, exchange};

/// The service without its HTTP. Clones share everything.
#[derive(Clone)]
pub struct Identity {
    /// Its database.
    pub pool: PgPool,
    /// The time.
    pub clock: SharedClock,
    /// Randomness.
    pub random: SharedRandom,
    /// Ids.
    pub snowflake: Snowflake,
    /// What signs.
    pub keys: SigningKeys,
    /// The policies, signed.
    pub bundles: Bundles,
    /// What checks passwords.
    pub passwords: Checker,
    /// How many failures are allowed.
    pub limits: Limits,
}

/// Identity is its own authority, in process: it asks itself for keys and policies as other shells ask it over HTTP.
#[async_trait]
impl Authority for Identity {
    async fn keys(&self) -> Result<Jwks, AuthorityError> {
        self.keys.verifying().await.map_err(|error| AuthorityError::Unreachable(error.to_string()))
    }

    async fn bundle(&self) -> Result<String, AuthorityError> {
        let signed = self.bundles.signed().await.map_err(|error| AuthorityError::Unreachable(error.to_string()))?;
        Ok(signed.to_string())
    }

    async fn exchange(&self, authorization: &SecretString) -> Result<String, AuthorityError> {
        let (name, secret) = basic(authorization.expose_secret()).ok_or(AuthorityError::Refused)?;
        exchange::exchange(self, &name, &secret).await.map(|granted| granted.access_token).map_err(
            |error| match error {
                GrantError::Refused => AuthorityError::Refused,
                error => AuthorityError::Unreachable(error.to_string()),
            },
        )
    }
}

/// Name and secret of an `Authorization` header with basic credentials (RFC 7617).
#[must_use]
pub fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    Some((name.to_owned(), secret.to_owned()))
}

/// The state of the endpoints: the service, and the kit that serves it.
#[derive(Clone)]
pub struct App {
    /// The service.
    pub identity: Identity,
    /// The shell.
    pub kit: Kit,
    /// How many trusted proxies stand in front, each of which appends to `X-Forwarded-For`.
    pub forwarded_hops: u8,
}

impl Deref for App {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

impl App {
    /// Makes this process decide by what was committed just now. Others hear of it through the change's capture, or
    /// within half a minute.
    pub async fn apply_now(&self) {
        if let Err(error) = self.kit.gate().refresh().await {
            tracing::warn!(error, "keys and policies could not be read again after a change; they follow within 30 s");
        }
    }

    /// Where a request comes from, for counting failures.
    #[must_use]
    pub fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        forwarded(headers, self.forwarded_hops).or(peer)
    }
}

/// The address that the outermost trusted proxy saw: counted from the right, because everything to the left of it is
/// whatever the caller wrote.
fn forwarded(headers: &HeaderMap, hops: u8) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let addresses: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let index = addresses.len().checked_sub(usize::from(hops)).filter(|_| hops > 0)?;
    addresses[index].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: &str, hops: u8) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", header.parse().unwrap());
        forwarded(&headers, hops).map(|address| address.to_string())
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        assert_eq!(client("1.1.1.1, 203.0.113.9", 0), None, "nobody is trusted");
        assert_eq!(
            client("1.1.1.1, 203.0.113.9", 1).as_deref(),
            Some("203.0.113.9"),
            "1.1.1.1 is the caller's own text"
        );
        assert_eq!(client("1.1.1.1, 203.0.113.9, 10.0.0.2", 2).as_deref(), Some("203.0.113.9"));
        assert_eq!(client("203.0.113.9", 2), None, "fewer than there must be");
        assert_eq!(client("nonsense", 1), None);
    }

    #[test]
    fn basic_credentials_are_read_as_rfc_7617_writes_them() {
        let read = basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(read, Some(("Aladdin".to_owned(), "open sesame".to_owned())));
        for header in ["", "Basic", "Basic !!!", "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic QWxhZGRpbg=="] {
            assert_eq!(basic(header), None, "{header}");
        }
    }
}
