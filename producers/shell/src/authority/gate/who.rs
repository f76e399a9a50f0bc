//! Who is this: tokens and basic credentials.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use platform::metric;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Exchanged, Gate, read, remember, unavailable};
use crate::authority::AuthorityError;
use crate::authority::keys::Keys;
use crate::authority::token::{self, Claims, Refusal};
use crate::problem::Problem;

/// Keys are fetched for an unknown `kid` no more often than this, whatever comes in.
const KEYS_AT_MOST_EVERY: Duration = Duration::from_secs(5);
/// For how long refused credentials stay refused without asking identity.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// An exchanged token is renewed this long before it expires, in seconds.
const RENEWED_BEFORE: i64 = 60;

impl Gate {
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
        let fingerprint: [u8; 32] =
            Sha256::new().chain_update(self.secret.bytes()).chain_update(authorization).finalize().into();
        let known = read(&self.exchanged).get(&fingerprint).cloned();
        match known {
            Some(Exchanged::Claims(claims)) if claims.exp - RENEWED_BEFORE > self.clock.now().unix_timestamp() => {
                return Ok(claims);
            }
            Some(Exchanged::Refused(when)) if when.elapsed() < REFUSED_FOR => {
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
}
