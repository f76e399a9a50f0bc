//! E-mail addresses: one spelling for each.

use unicode_normalization::UnicodeNormalization as _;

/// The text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an e-mail address such as lan@example.vn")]
pub struct NotAnEmail;

/// The address as it is kept and compared: trimmed, NFC, lower case. Whether it exists, only a letter to it can tell.
pub fn normalise(text: &str) -> Result<String, NotAnEmail> {
    let email: String = text.trim().nfc().flat_map(char::to_lowercase).collect();
    let (local, domain) = email.rsplit_once('@').ok_or(NotAnEmail)?;
    let strange = |c: char| c.is_whitespace() || c.is_control() || c == '@' || c == '<' || c == '>';
    let domain_is_fine = domain.contains('.') || domain == "localhost";
    let labels_are_fine = domain.split('.').all(|label| !label.is_empty());
    if local.is_empty() || email.chars().any(|c| strange(c) && c != '@') || local.contains('@') {
        return Err(NotAnEmail);
    }
    // 254 characters: RFC 5321 section 4.5.3.1.3, less the angle brackets.
    if domain_is_fine && labels_are_fine && email.chars().count() <= 254 { Ok(email) } else { Err(NotAnEmail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        assert_eq!(normalise(" Lan.Nguyen@Example.VN ").unwrap(), "lan.nguyen@example.vn");
        assert_eq!(normalise("phơ\u{309}@example.vn"), normalise("phở@example.vn"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "lan", "@example.vn", "lan@", "lan@example", "a b@example.vn", "a@b@example.vn", "a@.vn", "a\0@b.vn"]
        {
            assert_eq!(normalise(text), Err(NotAnEmail), "{text}");
        }
        assert_eq!(normalise(&format!("{}@example.vn", "a".repeat(260))), Err(NotAnEmail));
    }
}
