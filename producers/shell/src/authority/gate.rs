//! What a shell holds of identity's, and the two questions it answers with it: who is this, and may they.

mod may;
#[cfg(test)]
#[cfg(feature = "issuer")]
mod tests;
mod who;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};

use metrics::{counter, gauge};
use platform::clock::SharedClock;
use platform::metric;
use platform::redis::Cache;
use platform::sealing::Key;
use platform::service::Service;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::bundle;
use super::keys::Keys;
use super::policies::Policies;
use super::token::Claims;
use super::{Authority, AuthorityError};
use crate::problem::Problem;

/// How many verified tokens, decisions and exchanged accounts are remembered, each.
const REMEMBERED: usize = 10_000;

/// Holds keys and policies, and decides. One for each shell.
pub struct Gate {
    pub(super) service: Service,
    pub(super) authority: Arc<dyn Authority>,
    clock: SharedClock,
    pub(super) cache: Cache,
    /// Signs decisions in Redis, so that whoever writes to Redis cannot let anybody in.
    secret: Key,
    keys: RwLock<Arc<Keys>>,
    keys_asked: Mutex<Option<(Instant, bool)>>,
    policies: RwLock<Option<Arc<Policies>>>,
    verified: RwLock<HashMap<[u8; 32], Arc<Claims>>>,
    decisions: RwLock<HashMap<[u8; 32], Vec<String>>>,
    exchanged: RwLock<HashMap<[u8; 32], Exchanged>>,
    generation: AtomicI64,
}

#[derive(Clone)]
enum Exchanged {
    Claims(Arc<Claims>),
    Refused(Instant),
}

impl Gate {
    /// Holds nothing yet; see [`Gate::refresh`].
    #[must_use]
    pub fn new(service: Service, authority: Arc<dyn Authority>, clock: SharedClock, cache: Cache, secret: Key) -> Self {
        Self {
            service,
            authority,
            clock,
            cache,
            secret,
            keys: RwLock::default(),
            keys_asked: Mutex::default(),
            policies: RwLock::default(),
            verified: RwLock::default(),
            decisions: RwLock::default(),
            exchanged: RwLock::default(),
            generation: AtomicI64::new(0),
        }
    }

    /// Whether policies were ever held.
    #[must_use]
    pub fn has_policies(&self) -> bool {
        read(&self.policies).is_some()
    }

    /// Fetches keys and policies. What is held stays when that fails.
    ///
    /// # Errors
    /// A sentence saying what was not to be had.
    pub async fn refresh(&self) -> Result<(), String> {
        self.fetch_keys().await.map_err(|error| self.failed("keys", &error))?;
        let signed = self.authority.bundle().await.map_err(|error| self.failed("bundle", &error))?;
        let bundle = bundle::open(&signed, &read(&self.keys)).map_err(|error| self.failed("bundle", &error))?;
        let held = read(&self.policies).clone();
        if held.as_ref().is_some_and(|held| !held.give_way_to(&bundle)) {
            return Ok(());
        }
        if let Some(held) = held.filter(|held| held.version >= bundle.version) {
            let (had, has) = (held.version, bundle.version);
            tracing::warn!(had, has, "identity's policies went back from version {had} to {has}: was it restored?");
        }
        let policies = Policies::of(&bundle).await.map_err(|error| self.failed("bundle", &error))?;
        tracing::info!(
            version = policies.version,
            rules = bundle.rules.len(),
            "holding policies version {}",
            policies.version
        );
        #[expect(clippy::cast_precision_loss, reason = "versions are small")]
        gauge!(metric::POLICY_VERSION, "service" => self.service.name).set(policies.version as f64);
        *write(&self.policies) = Some(Arc::new(policies));
        write(&self.decisions).clear();
        Ok(())
    }

    fn failed(&self, what: &'static str, error: &dyn std::fmt::Display) -> String {
        counter!(metric::AUTHORITY_FAILURES, "service" => self.service.name, "what" => what).increment(1);
        format!("no {what} from identity: {error}")
    }

    async fn fetch_keys(&self) -> Result<(), AuthorityError> {
        let jwks = self.authority.keys().await?;
        if !read(&self.keys).is_same(&jwks) {
            *write(&self.keys) = Arc::new(Keys::of(jwks));
            // A key that was withdrawn must not live on in what it verified.
            write(&self.verified).clear();
            write(&self.exchanged).clear();
        }
        Ok(())
    }

    /// The service that this gate decides for.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service
    }

    /// Notes the generation in Redis; answers whether it is another one than before.
    pub(super) fn note_generation(&self, generation: i64) -> bool {
        self.generation.swap(generation, Ordering::Relaxed) != generation
    }
}

/// 503: identity cannot be asked, and what is held does not suffice. Never 403 or 401: the caller may be in the right.
fn unavailable() -> Problem {
    Problem::unavailable("AUTHORITY_UNAVAILABLE", "callers cannot be checked at the moment; try again", 5)
}

/// Remembers, and forgets everything when there is too much: simpler than picking, and as rare.
fn remember<V>(map: &RwLock<HashMap<[u8; 32], V>>, key: [u8; 32], value: V) {
    let mut map = write(map);
    if map.len() >= REMEMBERED {
        map.clear();
    }
    map.insert(key, value);
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}
