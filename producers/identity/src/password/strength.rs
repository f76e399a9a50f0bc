//! Which passwords are accepted (NIST SP 800-63B-4 section 3.1.1.2: length over composition rules, a list of the
//! common ones, nothing that repeats the account).

use unicode_normalization::UnicodeNormalization as _;

/// In characters. A password is the only factor here, so it is longer than the eight of multi-factor sign-ins.
pub const SHORTEST: usize = 12;
/// In characters: more is no safer, and hashing megabytes is a way to keep the server busy.
pub const LONGEST: usize = 128;
const FEWEST_DISTINCT: usize = 5;

/// The beginnings of what people type when asked for twelve characters.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "p@ssw0rd",
    "matkhau",
    "mậtkhẩu",
    "123456",
    "qwerty",
    "abc123",
    "111111",
    "iloveyou",
    "admin",
    "letmein",
    "welcome",
    "changeme",
    "sluice",
];

/// Why a password is refused. The sentence goes to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Under [`SHORTEST`].
    #[error("is too short: use at least 12 characters")]
    TooShort,
    /// Over [`LONGEST`].
    #[error("is too long: use at most 128 characters")]
    TooLong,
    /// A handful of characters, repeated.
    #[error("repeats too few characters: use at least 5 different ones")]
    TooUniform,
    /// A common password, with little added.
    #[error("is one of the first that an attacker tries: choose another")]
    Common,
    /// The part of the e-mail address before the @, or the other way round.
    #[error("contains the name of the account: choose another")]
    ContainsAccount,
}

/// Whether the password may be set for the account with this e-mail address.
pub fn check(password: &str, email: &str) -> Result<(), Weakness> {
    let folded: String = password.nfkc().flat_map(char::to_lowercase).filter(|c| !c.is_whitespace()).collect();
    let length = password.chars().count();
    if length > LONGEST {
        return Err(Weakness::TooLong);
    }
    if length < SHORTEST {
        return Err(Weakness::TooShort);
    }
    if distinct(&folded) < FEWEST_DISTINCT {
        return Err(Weakness::TooUniform);
    }
    if COMMON.iter().any(|common| is_mostly(&folded, common)) {
        return Err(Weakness::Common);
    }
    let account = email.split('@').next().unwrap_or_default().to_lowercase();
    if account.chars().count() >= 4 && folded.contains(&account) {
        return Err(Weakness::ContainsAccount);
    }
    Ok(())
}

fn distinct(text: &str) -> usize {
    let mut seen: Vec<char> = text.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len()
}

/// `password123456` is `password` and `123456`: what remains without the common parts is too little to guess.
fn is_mostly(folded: &str, common: &str) -> bool {
    folded.contains(common)
        && COMMON.iter().fold(folded.to_owned(), |rest, part| rest.replace(part, "")).chars().count() < 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_with_their_reason() {
        for (password, weakness) in [
            ("", Weakness::TooShort),
            ("ngắn quá", Weakness::TooShort),
            ("aaaaaaaaaaaaaaaa", Weakness::TooUniform),
            ("121212121212", Weakness::TooUniform),
            ("password123456", Weakness::Common),
            ("Password 1234!", Weakness::Common),
            ("matkhau123456789", Weakness::Common),
            ("lan.nguyen cửa hàng", Weakness::ContainsAccount),
        ] {
            assert_eq!(check(password, "lan.nguyen@example.vn"), Err(weakness), "{password}");
        }
        assert_eq!(check(&"dài".repeat(50), "a@b.vn"), Err(Weakness::TooLong));
    }

    #[test]
    fn long_sentences_and_random_strings_are_accepted() {
        for password in ["bún chả Hà Nội ngon", "0f3c9a417be2d6580f3c9a417be2d658", "correct horse battery staple"]
        {
            assert_eq!(check(password, "lan@example.vn"), Ok(()), "{password}");
        }
    }
}
