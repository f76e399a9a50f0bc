//! argon2id, as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use platform::random::Random;
use unicode_normalization::UnicodeNormalization as _;

use crate::secret;

/// Memory in KiB. With two passes and one lane: the first choice of the OWASP Password Storage Cheat Sheet for
/// argon2id where memory matters (19 MiB).
pub const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over the memory.
pub const PASSES: u32 = 2;
/// Lanes. One: a check takes one core, and how many run at once is [`super::check::Checker`]'s decision.
pub const LANES: u32 = 1;

/// The library refused: parameters, or a salt of the wrong length. Not the password's fault.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashError;

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| HashError)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The same text for the same password, however the keyboard composes "ệ" (NIST SP 800-63B section 3.1.1.2: NFKC).
fn normalised(password: &str) -> String {
    password.nfkc().collect()
}

/// The password as a PHC string with a fresh salt. Takes tens of milliseconds of CPU: off the async threads, please.
pub fn hash(password: &str, random: &dyn Random) -> Result<String, HashError> {
    let hash: PasswordHash = argon2()?
        .hash_password_with_salt(normalised(password).as_bytes(), &secret::bytes::<16>(random))
        .map_err(|_| HashError)?;
    Ok(hash.to_string())
}

/// Whether this is the password. A string that is no PHC string is nobody's password.
#[must_use]
pub fn verify(password: &str, phc: &str) -> bool {
    let (Ok(argon2), Ok(hash)) = (argon2(), PasswordHash::new(phc)) else { return false };
    argon2.verify_password(normalised(password).as_bytes(), &hash).is_ok()
}

/// Whether the hash was made with other parameters than today's: the next sign-in that succeeds makes it anew.
#[must_use]
pub fn is_outdated(phc: &str) -> bool {
    let today = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$");
    !phc.starts_with(&today)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use platform::random::SystemRandom;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn a_password_verifies_and_another_does_not() {
        let phc = hash("nước mắm Phú Quốc", &SystemRandom).unwrap();
        assert!(verify("nước mắm Phú Quốc", &phc));
        assert!(!verify("nuoc mam Phu Quoc", &phc));
    }

    #[test]
    fn the_hash_says_which_parameters_it_was_made_with() {
        let phc = hash("một hai ba bốn", &SystemRandom).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(!is_outdated(&phc));
        assert!(is_outdated(&phc.replace("t=2", "t=1")));
    }

    #[test]
    fn a_password_typed_decomposed_is_the_same_password() {
        let phc = hash("ph\u{1edf} b\u{f2} t\u{e1}i", &SystemRandom).unwrap();
        assert!(verify("pho\u{31b}\u{309} bo\u{300} ta\u{301}i", &phc));
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(hash("cà phê sữa đá", &SystemRandom).unwrap(), hash("cà phê sữa đá", &SystemRandom).unwrap());
    }

    #[test]
    fn what_is_no_hash_verifies_nothing() {
        for phc in ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$", "$2b$12$abcdefghijklmnopqrstuv"] {
            assert!(!verify("", phc), "{phc}");
            assert!(!verify("plain", phc), "{phc}");
        }
    }

    /// The dev profile compiles argon2 with optimisation. Without, a check takes about a hundred times what it
    /// should. Compared with a hash of 64 MiB on the same machine, and not with a clock, so that a slow or busy
    /// machine does not matter.
    #[test]
    fn the_dev_build_does_not_take_a_second_for_a_password() {
        let buffer = vec![7_u8; 64 << 20];
        let fastest = |work: &dyn Fn()| {
            (0..3)
                .map(|_| {
                    let start = Instant::now();
                    work();
                    start.elapsed()
                })
                .min()
                .unwrap()
        };
        let reference = fastest(&|| {
            std::hint::black_box(Sha256::digest(&buffer));
        });
        let password = fastest(&|| drop(std::hint::black_box(hash("một hai ba bốn", &SystemRandom))));
        assert!(password < reference * 10, "argon2 {password:?}, SHA-256 of 64 MiB {reference:?}");
    }
}
