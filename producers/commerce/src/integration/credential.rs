//! The secret part of an integration: checked, masked, sealed.

use std::collections::BTreeMap;
use std::fmt;

use platform::sealing::{Keyring, Place};
use serde::Deserialize;
use shell::{Checks, Problem};
use utoipa::ToSchema;

/// The fields of a credential: `{"api_key": ".."}`. Has no way to be printed or serialized.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(example = json!({ "api_key": "sk_live_0123456789abcdef" }))]
pub(super) struct Credential(BTreeMap<String, String>);

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credential").field(&self.0.keys()).finish()
    }
}

/// A credential as it is stored.
pub(super) struct Sealed {
    pub(super) bytes: Vec<u8>,
    pub(super) key_id: String,
    pub(super) hint: String,
}

/// Where the sealed credential of a row lives.
pub(super) fn place(id: i64) -> Place<'static> {
    Place { table: "public.integration", row: id, column: "credential_sealed" }
}

impl Credential {
    /// Checks its fields.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let mut checks = Checks::new();
        checks.that((1..=20).contains(&self.0.len()), "/credential", "COUNT", "has 1 to 20 fields");
        for (name, value) in &self.0 {
            let named = (1..=50).contains(&name.chars().count());
            let fits = (1..=8192).contains(&value.len());
            checks.that(
                named && fits,
                "/credential",
                "LENGTH",
                "names have 1 to 50 characters, values 1 to 8,192 bytes",
            );
        }
        checks.finish()
    }

    /// Seals it for the row of this id.
    pub(super) fn seal(&self, keyring: &Keyring, id: i64) -> Sealed {
        let text = serde_json::to_vec(&self.0).unwrap_or_default();
        let hint: Vec<_> = self.0.iter().map(|(name, value)| format!("{name} {}", mask(value))).collect();
        Sealed {
            bytes: keyring.seal(place(id), &text),
            key_id: hex::encode(keyring.current_id()),
            hint: hint.join(", "),
        }
    }
}

/// The last four characters of a long value, and nothing of a short one.
fn mask(value: &str) -> String {
    let letters: Vec<_> = value.chars().collect();
    let shown: String = if letters.len() >= 16 { letters[letters.len() - 4..].iter().collect() } else { String::new() };
    format!("••••{shown}")
}

#[cfg(test)]
mod tests {
    use platform::random::SystemRandom;
    use platform::sealing::Key;

    use super::*;

    fn credential() -> Credential {
        serde_json::from_str(r#"{"api_key": "sk_live_0123456789abcdef", "pin": "1234"}"#).unwrap()
    }

    #[test]
    fn a_sealed_credential_opens_in_its_row_only_and_shows_almost_nothing() {
        let keyring = Keyring::new(Key::from_bytes([1; 32]), Vec::new(), SystemRandom::shared());
        let sealed = credential().seal(&keyring, 7);
        assert_eq!(sealed.hint, "api_key ••••cdef, pin ••••");
        assert!(keyring.open(place(7), &sealed.bytes).is_ok());
        assert!(keyring.open(place(8), &sealed.bytes).is_err());
    }

    #[test]
    fn a_credential_is_never_printed() {
        assert!(!format!("{:?}", credential()).contains("sk_live"));
    }
}
