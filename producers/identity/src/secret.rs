//! Secrets that this service makes: refresh tokens and the secrets of service accounts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::random::Random;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Refresh tokens begin with this, so that scanners of leaked secrets know them.
pub const REFRESH_TOKEN: &str = "slrt_";
/// Secrets of service accounts begin with this.
pub const SERVICE_SECRET: &str = "slsk_";

/// The next `N` bytes.
#[must_use]
pub fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// 256 bits as text, after `prefix`.
#[must_use]
pub fn generate(random: &dyn Random, prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes::<32>(random)))
}

/// How a secret of 256 random bits is kept: SHA-256. Nobody guesses it, so nothing is gained by a slow hash.
#[must_use]
pub fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Whether the secret has this digest, in a time that does not depend on where they differ.
#[must_use]
pub fn matches(secret: &str, expected: &[u8]) -> bool {
    digest(secret).ct_eq(expected).into()
}

#[cfg(test)]
mod tests {
    use platform::random::SystemRandom;

    use super::*;

    #[test]
    fn a_secret_has_its_prefix_and_256_bits_and_is_new_each_time() {
        let secret = generate(&SystemRandom, REFRESH_TOKEN);
        assert_eq!(URL_SAFE_NO_PAD.decode(secret.strip_prefix("slrt_").unwrap()).unwrap().len(), 32);
        assert_ne!(secret, generate(&SystemRandom, REFRESH_TOKEN));
    }

    #[test]
    fn only_the_same_secret_matches_a_digest() {
        let digest = digest("slsk_a");
        assert!(matches("slsk_a", &digest));
        assert!(!matches("slsk_b", &digest));
        assert!(!matches("slsk_a", &digest[..31]));
    }
}
