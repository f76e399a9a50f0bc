//! The keys that are held, by their names.

use std::collections::HashMap;

use jsonwebtoken::DecodingKey;

use super::Jwks;

/// Public keys that verify. Anything but ES256 keys is left out.
#[derive(Clone, Default)]
pub(super) struct Keys {
    by_id: HashMap<String, DecodingKey>,
    source: Jwks,
}

impl Keys {
    pub(super) fn of(source: Jwks) -> Self {
        let mut by_id = HashMap::new();
        for key in source.keys.iter().filter(|key| key.kty == "EC" && key.crv == "P-256" && key.alg == "ES256") {
            match DecodingKey::from_ec_components(&key.x, &key.y) {
                Ok(decoding) => drop(by_id.insert(key.kid.clone(), decoding)),
                Err(error) => tracing::warn!(%error, kid = key.kid, "identity serves a key that cannot be read"),
            }
        }
        Self { by_id, source }
    }

    pub(super) fn find(&self, kid: &str) -> Option<&DecodingKey> {
        self.by_id.get(kid)
    }

    pub(super) fn is_same(&self, source: &Jwks) -> bool {
        self.source == *source
    }
}
