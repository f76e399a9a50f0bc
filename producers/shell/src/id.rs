//! Ids on the wire: snowflakes as decimal texts, because JavaScript's numbers end at 2^53.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// What an id looks like: 1 to 8999999999999999999 without leading zeros. Every snowflake until 2092 is among them, all
/// fit 64 bits, and a schema can say it.
pub const ID_PATTERN: &str = "^([1-9][0-9]{0,17}|[1-8][0-9]{18})$";

const GREATEST: i64 = 8_999_999_999_999_999_999;

/// An id in a request or an answer. In SQL and in the code it is an `i64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub i64);

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is a decimal number from 1 to {GREATEST} as a text")]
pub struct NotAnId;

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let plain = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        let id = if plain { text.parse().map_err(|_| NotAnId)? } else { return Err(NotAnId) };
        if id <= GREATEST { Ok(Self(id)) } else { Err(NotAnId) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl From<i64> for Id {
    fn from(id: i64) -> Self {
        Self(id)
    }
}

impl From<Id> for i64 {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Id;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an id as a text of digits")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .pattern(Some(ID_PATTERN))
            .description(Some("A 64-bit id as a text."))
            .into()
    }
}

impl ToSchema for Id {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_text_in_json() {
        assert_eq!(serde_json::to_string(&Id(7)).unwrap(), "\"7\"");
        assert_eq!(serde_json::from_str::<Id>("\"8999999999999999999\"").unwrap(), Id(GREATEST));
    }

    #[test]
    fn numbers_and_ids_beyond_the_range_are_refused() {
        for text in [
            "7",
            "\"\"",
            "\"0\"",
            "\"-1\"",
            "\"007\"",
            "\"1.0\"",
            "\"9223372036854775808\"",
            "\"9000000000000000000\"",
            "\" 7\"",
            "\"+7\"",
        ] {
            assert!(serde_json::from_str::<Id>(text).is_err(), "{text}");
        }
    }
}
