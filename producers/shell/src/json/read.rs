//! From bytes to a value, with a pointer to what is wrong.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::objects::Objects;
use crate::problem::Problem;

/// Reads JSON. What is no JSON at all answers 400; JSON of another shape answers 422 with a pointer.
///
/// # Errors
/// The problem to answer with.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::malformed("INVALID_UTF8", format!("byte {} is not UTF-8", error.valid_up_to())))?;
    // First the syntax of all of it, so that a wrong type early in broken JSON is not reported as a wrong type.
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| malformed(&error))?;
    refuse_nul(text)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(Objects(&mut deserializer)).map_err(|error| {
        let pointer = pointer(error.path());
        misshapen(pointer, &error.into_inner())
    })
}

fn malformed(error: &serde_json::Error) -> Problem {
    let detail = format!("the body is not JSON: line {}, column {}", error.line(), error.column());
    Problem::malformed("MALFORMED_JSON", detail)
}

/// Postgres has no U+0000 in texts, so none gets further than here.
fn refuse_nul(text: &str) -> Result<(), Problem> {
    if !text.contains("\\u0000") {
        return Ok(());
    }
    let value: Value = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    match find_nul(&value, String::new()) {
        Some(pointer) => Err(Problem::invalid(pointer, "NUL_CHARACTER", "must not contain the character U+0000")),
        None => Ok(()),
    }
}

fn find_nul(value: &Value, at: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(at),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| find_nul(item, format!("{at}/{index}")))
        }
        Value::Object(members) => members.iter().find_map(|(name, item)| {
            let here = format!("{at}/{}", escape(name));
            if name.contains('\0') { Some(here) } else { find_nul(item, here) }
        }),
        _ => None,
    }
}

fn misshapen(pointer: String, error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(sentence, _)| sentence);
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let child =
        || format!("{}/{}", pointer.strip_suffix(&format!("/{}", escape(quoted))).unwrap_or(&pointer), escape(quoted));
    if message.starts_with("unknown field") {
        Problem::invalid(child(), "UNKNOWN_FIELD", "there is no such field")
    } else if message.starts_with("missing field") {
        Problem::invalid(child(), "REQUIRED", "must be given")
    } else if message.starts_with("duplicate field") {
        Problem::invalid(child(), "DUPLICATE_FIELD", "must be given once only")
    } else if message.starts_with("invalid type") {
        Problem::invalid(pointer, "WRONG_TYPE", message)
    } else {
        Problem::invalid(pointer, "INVALID_VALUE", message)
    }
}

fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", escape(key)),
        Segment::Enum { variant } => format!("{pointer}/{}", escape(variant)),
        Segment::Unknown => pointer,
    })
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is used")]
    struct Product {
        name: String,
        #[serde(default)]
        variants: Vec<Variant>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape is used")]
    struct Variant {
        price: i64,
    }

    fn refused(body: &[u8]) -> (u16, String, String) {
        let problem = parse::<Product>(body).unwrap_err();
        match problem.errors.first() {
            Some(error) => (problem.status.into(), error.code.to_string(), error.pointer.clone()),
            None => (problem.status.into(), problem.code.to_string(), String::new()),
        }
    }

    #[test]
    fn what_is_not_json_answers_400() {
        for body in [&b"{"[..], b"", b"{\"name\": 1,, }", b"{\"name\":\"a\"} x", b"{\"name\": 1, \"variants\": [}"] {
            assert_eq!(
                refused(body),
                (400, "MALFORMED_JSON".into(), String::new()),
                "{}",
                String::from_utf8_lossy(body)
            );
        }
        assert_eq!(refused(b"{\"name\": \"\xff\"}").1, "INVALID_UTF8");
    }

    #[test]
    fn a_wrong_type_answers_422_with_its_pointer() {
        assert_eq!(refused(br#"{"name": 1}"#), (422, "WRONG_TYPE".into(), "/name".into()));
        assert_eq!(
            refused(br#"{"name": "a", "variants": [{"price": 1}, {"price": "2"}]}"#),
            (422, "WRONG_TYPE".into(), "/variants/1/price".into())
        );
    }

    #[test]
    fn an_array_is_no_object_however_its_items_are_ordered() {
        assert_eq!(refused(br#"["a", []]"#), (422, "WRONG_TYPE".into(), String::new()));
        assert_eq!(refused(br#"{"name": "a", "variants": [[1]]}"#), (422, "WRONG_TYPE".into(), "/variants/0".into()));
    }

    #[test]
    fn a_float_is_no_integer_and_a_number_beyond_64_bits_neither() {
        for price in ["1.0", "1e3", "9223372036854775808"] {
            let body = format!(r#"{{"name": "a", "variants": [{{"price": {price}}}]}}"#);
            let (status, _, pointer) = refused(body.as_bytes());
            assert_eq!((status, pointer.as_str()), (422, "/variants/0/price"), "{price}");
        }
    }

    #[test]
    fn unknown_missing_and_doubled_fields_are_named() {
        assert_eq!(refused(br#"{"name": "a", "nam": 1}"#), (422, "UNKNOWN_FIELD".into(), "/nam".into()));
        assert_eq!(refused(b"{}"), (422, "REQUIRED".into(), "/name".into()));
        assert_eq!(
            refused(br#"{"name": "a", "variants": [{}]}"#),
            (422, "REQUIRED".into(), "/variants/0/price".into())
        );
        assert_eq!(refused(br#"{"name": "a", "name": "b"}"#).1, "DUPLICATE_FIELD");
    }

    #[test]
    fn the_character_that_postgres_cannot_store_is_refused() {
        assert_eq!(refused(br#"{"name": "a\u0000b"}"#), (422, "NUL_CHARACTER".into(), "/name".into()));
        assert!(parse::<Product>(br#"{"name": "a\\u0000b"}"#).is_ok());
    }
}
