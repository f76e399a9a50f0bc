//! A small identity for tests: a key of its own, tokens, a bundle. Behind the feature `issuer`, which no production
//! build turns on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::ecdsa::SigningKey;
use p256::pkcs8::EncodePrivateKey;
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};

use crate::authority::{
    AUDIENCE, Authority, AuthorityError, BUNDLE_TYPE, Bundle, Claims, ISSUER, Jwk, Jwks, Kind, MODEL, Rule,
};
use crate::id::Id;

/// An authority that lives in a test.
pub struct Issuer {
    key: SigningKey,
    kid: String,
    bundle: Mutex<Bundle>,
    /// Whether it answers at all.
    pub reachable: AtomicBool,
    /// How often its keys were asked for.
    pub keys_asked: AtomicUsize,
    /// How often credentials were exchanged.
    pub exchanges: AtomicUsize,
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new("test-key")
    }
}

impl Issuer {
    /// With a new key of this name and without rules.
    #[must_use]
    pub fn new(kid: &str) -> Self {
        let bundle = Bundle { version: 1, issued_at: 0, model: MODEL.to_owned(), rules: Vec::new() };
        Self {
            key: new_key(),
            kid: kid.to_owned(),
            bundle: Mutex::new(bundle),
            reachable: AtomicBool::new(true),
            keys_asked: AtomicUsize::new(0),
            exchanges: AtomicUsize::new(0),
        }
    }

    /// Replaces the rules, as `(role, service, resource, action, effect)`, under the next version.
    pub fn set_rules(&self, rules: &[(&str, &str, &str, &str, &str)]) {
        let mut bundle = self.bundle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        bundle.version += 1;
        bundle.issued_at += 1;
        let rule = |(role, service, resource, action, effect): &(&str, &str, &str, &str, &str)| Rule {
            role: (*role).to_owned(),
            service: (*service).to_owned(),
            resource: (*resource).to_owned(),
            action: (*action).to_owned(),
            effect: (*effect).to_owned(),
        };
        bundle.rules = rules.iter().map(rule).collect();
    }

    /// The bundle as it stands, to be put back as a restore of its database would.
    #[must_use]
    pub fn backup(&self) -> Bundle {
        self.bundle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Puts a bundle in place of the one that there is.
    pub fn restore(&self, bundle: Bundle) {
        *self.bundle.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = bundle;
    }

    /// Good claims for an hour.
    #[must_use]
    pub fn claims(user: i64, roles: &[&str], merchants: &[i64]) -> Claims {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.to_string(),
            kind: Kind::User,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            merchants: merchants.iter().copied().map(Id).collect(),
            iat: now,
            nbf: now,
            exp: now + 3600,
            jti: "test".to_owned(),
        }
    }

    /// A good token.
    #[must_use]
    pub fn token(&self, user: i64, roles: &[&str], merchants: &[i64]) -> String {
        self.sign(&Self::claims(user, roles, merchants))
    }

    /// A token of any claims.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        self.signed("JWT", claims)
    }

    fn signed(&self, typ: &str, claims: &impl serde::Serialize) -> String {
        let header = Header { typ: Some(typ.to_owned()), kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        #[expect(clippy::expect_used, reason = "a test cannot go on without its own key")]
        let signed = {
            let der = self.key.to_pkcs8_der().expect("a new key is encoded");
            jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(der.as_bytes())).expect("claims are signed")
        };
        signed
    }

    fn jwk(&self) -> Jwk {
        let point = self.key.verifying_key().to_encoded_point(false);
        let coordinate =
            |bytes: Option<&p256::FieldBytes>| bytes.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default();
        Jwk {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: coordinate(point.x()),
            y: coordinate(point.y()),
            kid: self.kid.clone(),
            alg: "ES256".to_owned(),
            usage: "sig".to_owned(),
        }
    }

    fn reach(&self) -> Result<(), AuthorityError> {
        let unreachable = || AuthorityError::Unreachable("it is down".to_owned());
        self.reachable.load(Ordering::SeqCst).then_some(()).ok_or_else(unreachable)
    }
}

fn new_key() -> SigningKey {
    loop {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        // All but one in 2^32 texts of 32 bytes are keys.
        if let Ok(key) = SigningKey::from_slice(&bytes) {
            return key;
        }
    }
}

#[async_trait]
impl Authority for Issuer {
    async fn keys(&self) -> Result<Jwks, AuthorityError> {
        self.keys_asked.fetch_add(1, Ordering::SeqCst);
        self.reach()?;
        Ok(Jwks { keys: vec![self.jwk()] })
    }

    async fn bundle(&self) -> Result<String, AuthorityError> {
        self.reach()?;
        let bundle = self.bundle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        Ok(self.signed(BUNDLE_TYPE, &bundle))
    }

    /// Accepts `Basic` with anything that ends in `:right`, as an administrator with id 99.
    async fn exchange(&self, authorization: &SecretString) -> Result<String, AuthorityError> {
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        self.reach()?;
        let encoded = authorization.expose_secret().split(' ').nth(1).unwrap_or_default();
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default();
        if !decoded.ends_with(b":right") {
            return Err(AuthorityError::Refused);
        }
        Ok(self.sign(&Claims { kind: Kind::Service, ..Self::claims(99, &["ADMIN"], &[]) }))
    }
}
