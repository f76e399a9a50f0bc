//! One ES256 key pair (RFC 7518 section 3.4: ECDSA on P-256 with SHA-256).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::pkcs8::EncodePrivateKey as _;
use platform::random::Random;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use shell::authority::Jwk;

use crate::secret;

/// The bytes are no scalar of P-256, or the library refused to sign.
#[derive(Debug, thiserror::Error)]
#[error("the signing key cannot be used")]
pub struct KeyError;

/// The JWK (RFC 7517, RFC 7518 section 6.2) of the point `(x, y)`, both base64url without padding.
#[must_use]
pub fn jwk(x: &str, y: &str) -> Jwk {
    // RFC 7638 section 3.2: the required members in lexicographic order, no white space. So the same key has the same
    // name wherever it is computed.
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    Jwk {
        kty: "EC".into(),
        crv: "P-256".into(),
        x: x.into(),
        y: y.into(),
        kid: URL_SAFE_NO_PAD.encode(Sha256::digest(members)),
        alg: "ES256".into(),
        usage: "sig".into(),
    }
}

/// A private key that is ready to sign. It has no `Debug`.
#[derive(Clone)]
pub struct KeyPair {
    secret: SecretKey,
    encoding: EncodingKey,
    jwk: Jwk,
}

impl KeyPair {
    /// A new key.
    pub fn generate(random: &dyn Random) -> Result<Self, KeyError> {
        // A scalar is refused when it is zero or not below the group's order: once in 2^32 draws.
        loop {
            if let Ok(secret) = SecretKey::from_slice(&secret::bytes::<32>(random)) {
                return Self::from_secret(secret);
            }
        }
    }

    /// The key with this scalar (32 bytes, big endian).
    pub fn from_scalar(scalar: &[u8]) -> Result<Self, KeyError> {
        // The library would pad a shorter one.
        if scalar.len() != 32 {
            return Err(KeyError);
        }
        Self::from_secret(SecretKey::from_slice(scalar).map_err(|_| KeyError)?)
    }

    fn from_secret(secret: SecretKey) -> Result<Self, KeyError> {
        let der = secret.to_pkcs8_der().map_err(|_| KeyError)?;
        let point = secret.public_key().to_encoded_point(false);
        let coordinate = |bytes: Option<&p256::FieldBytes>| bytes.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let (x, y) = coordinate(point.x()).zip(coordinate(point.y())).ok_or(KeyError)?;
        Ok(Self { encoding: EncodingKey::from_ec_der(der.as_bytes()), jwk: jwk(&x, &y), secret })
    }

    /// The private scalar, to be sealed and nothing else.
    #[must_use]
    pub fn scalar(&self) -> Vec<u8> {
        self.secret.to_bytes().to_vec()
    }

    /// The public half.
    #[must_use]
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// A compact JWS (RFC 7515) over the claims. `typ` is the header of that name.
    pub fn sign<C: Serialize>(&self, typ: &str, claims: &C) -> Result<String, KeyError> {
        let header = Header { typ: Some(typ.into()), kid: Some(self.jwk.kid.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(|_| KeyError)
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use platform::random::SystemRandom;
    use serde_json::{Value, json};

    use super::*;

    fn verifies(token: &str, jwk: &Jwk) -> bool {
        let key = DecodingKey::from_ec_components(&jwk.x, &jwk.y).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
    }

    #[test]
    fn a_signature_verifies_with_the_public_half_and_with_no_other() {
        let (key, other) = (KeyPair::generate(&SystemRandom).unwrap(), KeyPair::generate(&SystemRandom).unwrap());
        let token = key.sign("JWT", &json!({"sub": "1"})).unwrap();
        assert!(verifies(&token, key.jwk()));
        assert!(!verifies(&token, other.jwk()));
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!((header.kid.as_ref(), header.alg), (Some(&key.jwk().kid), Algorithm::ES256));
    }

    #[test]
    fn a_key_comes_back_from_its_scalar() {
        let key = KeyPair::generate(&SystemRandom).unwrap();
        assert_eq!(KeyPair::from_scalar(&key.scalar()).unwrap().jwk(), key.jwk());
        assert!(KeyPair::from_scalar(&[0; 32]).is_err());
        assert!(KeyPair::from_scalar(&[1; 31]).is_err());
    }

    /// RFC 7515 appendix A.3 gives this key (private scalar and point).
    #[test]
    fn the_public_point_is_the_one_of_rfc_7515() {
        let scalar = URL_SAFE_NO_PAD.decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").unwrap();
        let jwk = KeyPair::from_scalar(&scalar).unwrap().jwk().clone();
        assert_eq!(jwk.x, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        assert_eq!(jwk.y, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    }
}
