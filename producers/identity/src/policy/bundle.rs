//! The policy bundle: all definitions, with a version, signed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use platform::clock::SharedClock;
use shell::authority::{BUNDLE_TYPE, Bundle, MODEL, Rule};
use sqlx::PgPool;

use super::store::{self, Definition};
use crate::signing_key::ring::{RingError, SigningKeys};

/// A bundle is signed anew after this long though nothing changed, so that `issued_at` says that identity lives.
const FRESH: Duration = Duration::from_secs(20);

fn rule(definition: Definition) -> Rule {
    let Definition { role, service, resource, action, effect } = definition;
    Rule { role, service, resource, action, effect }
}

struct Signed {
    version: i64,
    kid: String,
    issued_at: i64,
    jws: Arc<str>,
}

/// Signs the bundle when it changed or grew old, and keeps it in between.
#[derive(Clone)]
pub struct Bundles {
    pool: PgPool,
    keys: SigningKeys,
    clock: SharedClock,
    latest: Arc<Mutex<Option<Signed>>>,
}

impl Bundles {
    /// Bundles of the definitions in this database.
    #[must_use]
    pub fn new(pool: PgPool, keys: SigningKeys, clock: SharedClock) -> Self {
        Self { pool, keys, clock, latest: Arc::default() }
    }

    /// The bundle as of now, unsigned.
    pub async fn current(&self) -> sqlx::Result<Bundle> {
        let (version, definitions) = store::bundle(&self.pool).await?;
        let rules = definitions.into_iter().map(rule).collect();
        Ok(Bundle { version, issued_at: self.clock.now().unix_timestamp(), model: MODEL.to_owned(), rules })
    }

    /// The bundle as of now, as a compact JWS.
    pub async fn signed(&self) -> Result<Arc<str>, RingError> {
        let key = self.keys.signer().await?;
        let version = store::bundle_version(&self.pool).await?;
        let kid = &key.jwk().kid;
        if let Some(jws) = self.kept(version, kid) {
            return Ok(jws);
        }
        let bundle = self.current().await?;
        let jws: Arc<str> = key.sign(BUNDLE_TYPE, &bundle)?.into();
        let signed =
            Signed { version: bundle.version, kid: kid.clone(), issued_at: bundle.issued_at, jws: jws.clone() };
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(signed);
        Ok(jws)
    }

    fn kept(&self, version: i64, kid: &str) -> Option<Arc<str>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh_after = (self.clock.now() - FRESH).unix_timestamp();
        let kept = latest
            .as_ref()
            .filter(|signed| signed.version == version && signed.kid == kid && signed.issued_at > fresh_after);
        kept.map(|signed| signed.jws.clone())
    }
}
