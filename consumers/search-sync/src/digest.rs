//! What a document says, as one number, taken from its text without making a value of it: a million documents are compared
//! by their digests, and nothing is kept of each but its id and this.

use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher as _};

use foldhash::quality::{FixedState, FoldHasher};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The field that says when a document was read rather than what was.
pub(crate) const READ_XMIN: &str = "read_xmin";

/// A document by its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digested {
    /// The product; none where the id is no product's.
    pub(crate) product: Option<i64>,
    /// The same for documents with equal fields, whatever their order; [`READ_XMIN`] is not among them.
    pub(crate) digest: u64,
}

/// Digests one document.
///
/// # Errors
/// When it is no JSON object.
pub(crate) fn digested(document: &[u8]) -> serde_json::Result<Digested> {
    let mut reader = serde_json::Deserializer::from_slice(document);
    let digested = reader.deserialize_map(Document)?;
    reader.end()?;
    Ok(digested)
}

/// Kinds of values differ, even where they are written alike: `1` and `"1"`.
#[derive(Hash)]
enum Kind {
    Null,
    Flag,
    Whole,
    Fraction,
    Text,
    List,
    Fields,
}

/// Every one begins alike: what is digested twice has one digest.
fn hasher() -> FoldHasher<'static> {
    const { &FixedState::with_seed(0) }.build_hasher()
}

fn number(content: impl Hash) -> u64 {
    let mut hasher = hasher();
    content.hash(&mut hasher);
    hasher.finish()
}

/// A document's fields.
struct Document;

impl<'de> Visitor<'de> for Document {
    type Value = Digested;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Digested, A::Error> {
        let mut digested = Digested { product: None, digest: 0 };
        while let Some(name) = fields.next_key_seed(Name)? {
            let content = match name {
                Field::ReadXmin => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
                Field::Id => {
                    let id: serde_json::Value = fields.next_value()?;
                    digested.product = id.as_str().and_then(|id| id.parse().ok());
                    number(("id", id))
                }
                Field::Other(name) => number((name, fields.next_value_seed(Content)?)),
            };
            // a sum does not know an order
            digested.digest = digested.digest.wrapping_add(content);
        }
        Ok(digested)
    }
}

/// A field's name.
enum Field {
    Id,
    ReadXmin,
    Other(u64),
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Field, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        Ok(match name {
            "id" => Field::Id,
            READ_XMIN => Field::ReadXmin,
            other => Field::Other(number(other)),
        })
    }
}

/// Any value below, and any name there.
struct Content;

impl<'de> DeserializeSeed<'de> for Content {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, content: D) -> Result<u64, D::Error> {
        content.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Content {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(number(Kind::Null))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<u64, E> {
        Ok(number((Kind::Flag, flag)))
    }

    fn visit_u64<E>(self, whole: u64) -> Result<u64, E> {
        Ok(number((Kind::Whole, i128::from(whole))))
    }

    fn visit_i64<E>(self, whole: i64) -> Result<u64, E> {
        Ok(number((Kind::Whole, i128::from(whole))))
    }

    fn visit_f64<E>(self, fraction: f64) -> Result<u64, E> {
        // zeros are equal and have two forms
        let fraction = if fraction == 0.0 { 0.0 } else { fraction };
        Ok(number((Kind::Fraction, fraction.to_bits())))
    }

    fn visit_str<E>(self, text: &str) -> Result<u64, E> {
        Ok(number((Kind::Text, text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
        let mut hasher = hasher();
        Kind::List.hash(&mut hasher);
        while let Some(content) = list.next_element_seed(Content)? {
            content.hash(&mut hasher);
        }
        Ok(hasher.finish())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<u64, A::Error> {
        let mut digest = number(Kind::Fields);
        // below the document itself these names mean nothing
        while let Some(name) = fields.next_key_seed(Content)? {
            digest = digest.wrapping_add(number((name, fields.next_value_seed(Content)?)));
        }
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn of(document: &Value) -> Digested {
        digested(document.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn it_does_not_depend_on_the_order_of_fields_or_on_when_it_was_read() {
        let one = json!({ "id": "70", "b": { "c": [1.5, "x"], "d": null }, "read_xmin": 7 });
        let other = json!({ "read_xmin": 9, "b": { "d": null, "c": [1.5, "x"] }, "id": "70" });
        assert_eq!(of(&one), of(&other));
        assert_eq!(of(&one).product, Some(70));
    }

    #[test]
    fn whatever_else_differs_makes_another_one() {
        let documents = [
            json!({}),
            json!({ "a": null }),
            json!({ "a": 1 }),
            json!({ "a": "1" }),
            json!({ "a": 1.5 }),
            json!({ "a": true }),
            json!({ "a": [] }),
            json!({ "a": {} }),
            json!({ "a": [1, 2] }),
            json!({ "a": [2, 1] }),
            json!({ "a": [[1], 2] }),
            json!({ "b": 1 }),
            json!({ "a": { "b": 1, "c": 2 } }),
            json!({ "a": { "b": 2, "c": 1 } }),
            json!({ "a": { "read_xmin": 1 } }),
            json!({ "a": { "read_xmin": 2 } }),
            json!({ "id": "1" }),
            json!({ "id": 1 }),
            json!({ "id": "x" }),
        ];
        for (place, one) in documents.iter().enumerate() {
            for other in &documents[..place] {
                assert_ne!(of(one).digest, of(other).digest, "{one} and {other}");
            }
        }
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for text in ["", "7", "[]", "{", "{}{}", "{\"a\": }"] {
            assert!(digested(text.as_bytes()).is_err(), "{text}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-2i64..3).prop_map(Value::from),
            (-2.0f64..2.0).prop_map(Value::from),
            "[a-cơ\"\\\\]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let fields = prop::collection::btree_map("[a-c]", inner.clone(), 0..3);
            prop_oneof![
                prop::collection::vec(inner, 0..3).prop_map(Value::from),
                fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn digests_agree_exactly_when_the_values_do(one in any_value(), other in any_value()) {
            let (one, other) = (json!({ "a": one }), json!({ "a": other }));
            prop_assert_eq!(of(&one).digest == of(&other).digest, one == other);
        }
    }
}
