//! The policies as identity signs them.

use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::keys::Keys;

/// `typ` in the header of the signed bundle, so that an access token is never taken for one.
pub const BUNDLE_TYPE: &str = "sluice-policy+jwt";

/// One rule: a role may (or may not) do an action on a resource of a service. `service`, `resource` and `action` may be
/// `*`; a role is exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// `CASHIER`.
    pub role: String,
    /// `commerce`, or `*`.
    pub service: String,
    /// `product`, or `*`.
    pub resource: String,
    /// `read`, or `*`.
    pub action: String,
    /// `allow` or `deny`; a deny wins.
    pub effect: String,
}

/// What identity signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// Grows with every change of roles or policies, and goes back when identity's database is restored from a backup.
    pub version: i64,
    /// When it was signed, Unix seconds. Tells a bundle of a restored database from an old one that somebody kept.
    pub issued_at: i64,
    /// The casbin model: [`super::MODEL`].
    pub model: String,
    /// The policy definitions. The fixed rules of the roles ([`super::Policies`]) are added by the shell.
    pub rules: Vec<Rule>,
}

impl Bundle {
    /// What it decides by: version, model and rules. Two bundles that were signed at different times and say the same
    /// have the same edition; two of the same version that a restore lies between have not.
    #[must_use]
    pub fn edition(&self) -> [u8; 32] {
        let rule = |rule: &Rule| serde_json::json!([rule.role, rule.service, rule.resource, rule.action, rule.effect]);
        let rules: Vec<_> = self.rules.iter().map(rule).collect();
        Sha256::digest(serde_json::json!([self.version, self.model, rules]).to_string()).into()
    }
}

/// Why a bundle was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum BundleError {
    #[error("the bundle is not signed by a key of identity's: {0}")]
    Signature(#[from] jsonwebtoken::errors::Error),
    #[error("the bundle names the key {0}, which identity does not serve")]
    UnknownKey(String),
    #[error("the bundle's header is not one of a bundle")]
    Header,
}

/// Verifies a bundle's signature and reads it.
pub(super) fn open(signed: &str, keys: &Keys) -> Result<Bundle, BundleError> {
    let header = jsonwebtoken::decode_header(signed)?;
    if header.alg != Algorithm::ES256 || header.typ.as_deref() != Some(BUNDLE_TYPE) {
        return Err(BundleError::Header);
    }
    let kid = header.kid.ok_or(BundleError::Header)?;
    let key = keys.find(&kid).ok_or(BundleError::UnknownKey(kid))?;
    let mut validation = Validation::new(Algorithm::ES256);
    // A bundle has no times or audience: an old one is kept as long as identity is down.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    Ok(jsonwebtoken::decode::<Bundle>(signed, key, &validation)?.claims)
}
