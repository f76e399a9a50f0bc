//! The policy bundle: all definitions, with a version, signed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use platform::clock::SharedClock;
use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;

use super::store::{self, Definition};
use crate::signing_key::ring::{RingError, SigningKeys};

/// The `typ` of the bundle's header: a bundle is no access token, and an access token is no bundle.
pub const TYP: &str = "sluice-policy+jwt";
/// A bundle is signed anew after this long though nothing changed, so that `issued_at` says that identity lives.
const FRESH: Duration = Duration::from_secs(20);

/// One definition, as shells decide by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Name of a role.
    pub role: String,
    /// Name of a service.
    pub service: String,
    /// A resource, or `*`.
    pub resource: String,
    /// An action, or `*`.
    pub action: String,
    /// `allow` or `deny`.
    pub effect: String,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bundle {
    /// Greater with each change of a role or a definition.
    pub version: i64,
    /// When it was signed, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    pub issued_at: OffsetDateTime,
    /// The casbin model by which the rules are read.
    pub model: String,
    /// All definitions, in a fixed order.
    pub rules: Vec<Rule>,
}

impl From<Definition> for Rule {
    fn from(definition: Definition) -> Self {
        let Definition { role, service, resource, action, effect } = definition;
        Self { role, service, resource, action, effect }
    }
}

struct Signed {
    version: i64,
    kid: String,
    issued_at: OffsetDateTime,
    jws: Arc<str>,
}

/// Signs the bundle when it changed or grew old, and keeps it in between.
#[derive(Clone)]
pub struct Bundles {
    pool: PgPool,
    keys: SigningKeys,
    clock: SharedClock,
    model: &'static str,
    latest: Arc<Mutex<Option<Signed>>>,
}

impl Bundles {
    /// Bundles whose rules are read by this casbin model.
    #[must_use]
    pub fn new(pool: PgPool, keys: SigningKeys, clock: SharedClock, model: &'static str) -> Self {
        Self { pool, keys, clock, model, latest: Arc::default() }
    }

    /// The bundle as of now, unsigned.
    pub async fn current(&self) -> sqlx::Result<Bundle> {
        let (version, definitions) = store::bundle(&self.pool).await?;
        let rules = definitions.into_iter().map(Rule::from).collect();
        Ok(Bundle { version, issued_at: self.clock.now(), model: self.model.to_owned(), rules })
    }

    /// The bundle as of now, as a compact JWS.
    pub async fn signed(&self) -> Result<Arc<str>, RingError> {
        let signer = self.keys.signer().await?;
        let version = store::bundle_version(&self.pool).await?;
        let kid = &signer.jwk().kid;
        if let Some(jws) = self.kept(version, kid) {
            return Ok(jws);
        }
        let bundle = self.current().await?;
        let jws: Arc<str> = signer.sign(TYP, &bundle)?.into();
        let signed =
            Signed { version: bundle.version, kid: kid.clone(), issued_at: bundle.issued_at, jws: jws.clone() };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(signed);
        Ok(jws)
    }

    fn kept(&self, version: i64, kid: &str) -> Option<Arc<str>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh_after = self.clock.now() - FRESH;
        let kept = latest.as_ref().filter(|signed| {
            signed.version == version && signed.kid == kid && signed.issued_at > fresh_after
        });
        kept.map(|signed| signed.jws.clone())
    }
}
