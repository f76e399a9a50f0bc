//! What a shell holds of identity's, and the two questions it answers with it: who is this, and may they.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use metrics::{counter, gauge};
use platform::clock::SharedClock;
use platform::redis::Cache;
use platform::sealing::Key;
use platform::service::Service;
use platform::{cache_key, metric};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::bundle;
use super::keys::Keys;
use super::policies::Policies;
use super::token::{self, Claims, Refusal};
use super::{Authority, AuthorityError};
use crate::problem::Problem;

/// Keys are fetched for an unknown `kid` no more often than this, whatever comes in.
const KEYS_AT_MOST_EVERY: Duration = Duration::from_secs(5);
/// A decision stays in Redis no longer than this.
const DECISION_KEPT: Duration = Duration::from_mins(1);
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
        if read(&self.policies).as_ref().is_some_and(|held| held.version >= bundle.version) {
            return Ok(());
        }
        let policies = Policies::of(&bundle).await.map_err(|error| self.failed("bundle", &error))?;
        tracing::info!(version = policies.version, rules = bundle.rules.len(), "holding policies version {}", policies.version);
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

    /// Who presents this token.
    ///
    /// # Errors
    /// 401 for a bad token; 503 when identity cannot be asked for its keys.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, Problem> {
        let fingerprint: [u8; 32] = Sha256::digest(token).into();
        let known = read(&self.verified).get(&fingerprint).cloned();
        if let Some(claims) = known {
            let in_time = token::is_in_time(&claims, self.clock.now().unix_timestamp());
            return if in_time { Ok(claims) } else { Err(self.refused(Refusal::Expired)) };
        }
        let kid = token::key_id(token).map_err(|refusal| self.refused(refusal))?;
        let keys = self.keys_with(&kid).await?;
        let key = keys.find(&kid).ok_or_else(|| self.refused(Refusal::UnknownKey))?;
        let claims = Arc::new(token::verify(token, key).map_err(|refusal| self.refused(refusal))?);
        remember(&self.verified, fingerprint, claims.clone());
        Ok(claims)
    }

    fn refused(&self, refusal: Refusal) -> Problem {
        counter!(metric::TOKENS_REFUSED, "service" => self.service.name, "reason" => refusal.name()).increment(1);
        tracing::debug!(reason = refusal.name(), "refused a token: {}", refusal.name());
        let code = if refusal == Refusal::Expired { "TOKEN_EXPIRED" } else { "TOKEN_REFUSED" };
        Problem::unauthenticated(code)
    }

    /// The keys, fetched again when this one is not among them. One fetch at a time, and not often: forged names of
    /// keys must not become requests to identity.
    async fn keys_with(&self, kid: &str) -> Result<Arc<Keys>, Problem> {
        let held = read(&self.keys).clone();
        if held.find(kid).is_some() {
            return Ok(held);
        }
        let mut asked = self.keys_asked.lock().await;
        let held = read(&self.keys).clone();
        if held.find(kid).is_some() {
            return Ok(held);
        }
        let reached = match *asked {
            Some((when, reached)) if when.elapsed() < KEYS_AT_MOST_EVERY => reached,
            _ => {
                let fetched = self.fetch_keys().await.map_err(|error| self.failed("keys", &error));
                if let Err(error) = &fetched {
                    tracing::warn!(%error, "cannot fetch keys for an unknown one");
                }
                *asked = Some((Instant::now(), fetched.is_ok()));
                fetched.is_ok()
            }
        };
        if reached { Ok(read(&self.keys).clone()) } else { Err(unavailable()) }
    }

    /// Who presents these basic credentials: a service account, by the token that identity gives for them, kept until a
    /// minute before it expires.
    ///
    /// # Errors
    /// 401 when identity refuses them (remembered for ten seconds); 503 when it cannot be asked.
    pub async fn exchange(&self, authorization: &str) -> Result<Arc<Claims>, Problem> {
        let fingerprint: [u8; 32] = Sha256::new().chain_update(self.secret.bytes()).chain_update(authorization).finalize().into();
        let known = read(&self.exchanged).get(&fingerprint).cloned();
        match known {
            Some(Exchanged::Claims(claims)) if claims.exp - 60 > self.clock.now().unix_timestamp() => return Ok(claims),
            Some(Exchanged::Refused(when)) if when.elapsed() < Duration::from_secs(10) => {
                return Err(Problem::unauthenticated("CREDENTIALS_REFUSED"));
            }
            _ => {}
        }
        match self.authority.exchange(&SecretString::from(authorization)).await {
            Ok(token) => {
                let claims = self.verify(&token).await?;
                remember(&self.exchanged, fingerprint, Exchanged::Claims(claims.clone()));
                Ok(claims)
            }
            Err(AuthorityError::Refused) => {
                remember(&self.exchanged, fingerprint, Exchanged::Refused(Instant::now()));
                Err(Problem::unauthenticated("CREDENTIALS_REFUSED"))
            }
            Err(error) => {
                tracing::warn!(error = self.failed("exchange", &error), "cannot exchange basic credentials");
                Err(unavailable())
            }
        }
    }

    /// Which of these roles allow an action on a resource of this service; an empty answer is a refusal.
    ///
    /// # Errors
    /// 503 when no policies were ever held.
    pub async fn allowing(&self, roles: &[String], resource: &str, action: &str) -> Result<Vec<String>, Problem> {
        let policies = read(&self.policies).clone().ok_or_else(unavailable)?;
        let mut roles = roles.to_vec();
        roles.sort();
        roles.dedup();
        let question = self.question(policies.version, &roles, resource, action);
        let known = read(&self.decisions).get(&question).cloned();
        if let Some(allowing) = known {
            return Ok(allowing);
        }
        let (allowing, source) = match self.recall(&question, &roles).await {
            Some(allowing) => (allowing, "redis"),
            None => (self.decide(&policies, &question, &roles, resource, action).await, "memory"),
        };
        let effect = if allowing.is_empty() { "deny" } else { "allow" };
        counter!(metric::POLICY_DECISIONS, "service" => self.service.name, "source" => source, "effect" => effect).increment(1);
        // Not when a newer bundle came meanwhile: its decisions were cleared for it.
        if read(&self.policies).as_ref().is_some_and(|held| held.version == policies.version) {
            remember(&self.decisions, question, allowing.clone());
        }
        Ok(allowing)
    }

    async fn decide(&self, policies: &Policies, question: &[u8; 32], roles: &[String], resource: &str, action: &str) -> Vec<String> {
        match policies.allowing(roles, self.service.name, resource, action) {
            Ok(allowing) => {
                let value = allowing.join(",");
                let signed = format!("{}.{value}", self.sign(question, &value));
                self.cache.set(&self.decision_key(question), &signed, DECISION_KEPT).await;
                allowing
            }
            Err(error) => {
                tracing::error!(%error, "the policies do not evaluate; nothing is allowed");
                Vec::new()
            }
        }
    }

    async fn recall(&self, question: &[u8; 32], roles: &[String]) -> Option<Vec<String>> {
        let stored = self.cache.get(&self.decision_key(question)).await?;
        let (signature, value) = stored.split_once('.')?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(signature.as_bytes(), self.sign(question, value).as_bytes())) {
            tracing::warn!("a decision in redis has a wrong signature; deciding in memory");
            return None;
        }
        let allowing: Vec<_> = value.split(',').filter(|role| !role.is_empty()).map(str::to_owned).collect();
        allowing.iter().all(|role| roles.contains(role)).then_some(allowing)
    }

    fn decision_key(&self, question: &[u8; 32]) -> String {
        cache_key::authz_decision(self.generation.load(Ordering::Relaxed), &hex::encode(&question[..16]))
    }

    /// With the bundle's version in it: shells that hold different policies never share a decision.
    fn question(&self, version: i64, roles: &[String], resource: &str, action: &str) -> [u8; 32] {
        let question = serde_json::json!([version, self.service.name, roles, resource, action]).to_string();
        Sha256::digest(question).into()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn sign(&self, question: &[u8; 32], value: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.bytes()).expect("a key of any length is good");
        mac.update(question);
        mac.update(value.as_bytes());
        hex::encode(mac.finalize().into_bytes())
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
