//! One schema, two texts: readable in git, compact in the registry.
//!
//! The registry names a schema by its text. Registered with whitespace, the files would get another id than the one
//! that Debezium asks for when it registers the same schema, and every topic would start with two versions. So the
//! whitespace between tokens is all that may differ.

/// Why a text is not the readable form of itself.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Printing and compacting again gives another text: a number or an escape that has two spellings.
    #[error("the schema has a number or an escape whose spelling would change when it is printed readably")]
    Spelling,
}

/// Removes the whitespace between tokens and nothing else.
#[must_use]
pub fn compact(text: &str) -> String {
    let mut compacted = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        if quoted {
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            quoted = character == '"';
        }
        compacted.push(character);
    }
    compacted
}

/// Prints a schema for people, in its own order, so that [`compact`] gives back the very text.
pub fn readable(text: &str) -> Result<String, TextError> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    let mut printed = serde_json::to_string_pretty(&value)?;
    printed.push('\n');
    if compact(&printed) == compact(text) { Ok(printed) } else { Err(TextError::Spelling) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whitespace_inside_a_text_stays() {
        assert_eq!(compact("{ \"a b\" : \"c \\\" d\\\\\" ,\n\t\"e\": 1 }"), r#"{"a b":"c \" d\\","e":1}"#);
    }

    #[test]
    fn the_order_of_fields_is_kept() {
        let text = r#"{"z":1,"a":[{"y":2,"b":3}]}"#;
        assert_eq!(compact(&readable(text).unwrap()), text);
    }

    #[test]
    fn a_spelling_that_would_be_lost_is_refused() {
        assert!(matches!(readable(r#"{"a":1e2}"#), Err(TextError::Spelling)));
        assert!(matches!(readable(r#"{"a":"\u0041"}"#), Err(TextError::Spelling)));
    }

    proptest! {
        #[test]
        fn compacting_means_the_same(key in ".*", text in ".*", number: i64) {
            let value = serde_json::json!({ key: [text, number, null, {"nested": true}] });
            let printed = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&printed), value.to_string());
        }
    }
}
