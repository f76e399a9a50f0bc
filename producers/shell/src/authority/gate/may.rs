//! May they: the policies in memory, with decisions remembered here and in Redis.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use metrics::counter;
use platform::{cache_key, metric};
use sha2::{Digest, Sha256};

use super::{Gate, read, remember, unavailable};
use crate::authority::policies::Policies;
use crate::problem::Problem;

/// A decision stays in Redis no longer than this.
const DECISION_KEPT: Duration = Duration::from_mins(1);

impl Gate {
    /// Which of these roles allow an action on a resource of this service; an empty answer is a refusal.
    ///
    /// # Errors
    /// 503 when no policies were ever held.
    pub async fn allowing(&self, roles: &[String], resource: &str, action: &str) -> Result<Vec<String>, Problem> {
        let policies = read(&self.policies).clone().ok_or_else(unavailable)?;
        let mut roles = roles.to_vec();
        roles.sort();
        roles.dedup();
        let question = self.question(&policies.edition, &roles, resource, action);
        let known = read(&self.decisions).get(&question).cloned();
        if let Some(allowing) = known {
            return Ok(allowing);
        }
        let (allowing, source) = match self.recall(&question, &roles).await {
            Some(allowing) => (allowing, "redis"),
            None => (self.decide(&policies, &question, &roles, resource, action).await, "memory"),
        };
        let effect = if allowing.is_empty() { "deny" } else { "allow" };
        counter!(metric::POLICY_DECISIONS, "service" => self.service.name, "source" => source, "effect" => effect)
            .increment(1);
        // Not when a newer bundle came meanwhile: its decisions were cleared for it.
        if read(&self.policies).as_ref().is_some_and(|held| held.edition == policies.edition) {
            remember(&self.decisions, question, allowing.clone());
        }
        Ok(allowing)
    }

    async fn decide(
        &self,
        policies: &Policies,
        question: &[u8; 32],
        roles: &[String],
        resource: &str,
        action: &str,
    ) -> Vec<String> {
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

    /// With the bundle's edition in it: shells that hold different policies never share a decision.
    fn question(&self, edition: &[u8; 32], roles: &[String], resource: &str, action: &str) -> [u8; 32] {
        let question =
            serde_json::json!([hex::encode(edition), self.service.name, roles, resource, action]).to_string();
        Sha256::digest(question).into()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn sign(&self, question: &[u8; 32], value: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.bytes()).expect("a key of any length is good");
        mac.update(question);
        mac.update(value.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}
