//! A topic that a consumer reads: how its records become changes.

use std::fmt;
use std::sync::Arc;

use schemas::decode::DecodeError;
use schemas::position::{Position, PositionError};
use schemas::registry::Registry;
use schemas::wire::{self, WireError};
use schemas::{Envelope, Operation};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_avro_fast::Schema;

use crate::change::{Change, Coordinates, Effect, EntityKey};

type Read<R> = dyn Fn(&Schema, &[u8]) -> Result<Envelope<R>, DecodeError> + Send + Sync;

/// A topic and the way from its bytes to a consumer's row.
pub struct Topic<R> {
    name: Arc<str>,
    read: Box<Read<R>>,
    gone: fn(&R) -> bool,
}

impl<R: 'static> Topic<R> {
    /// The topic of the table `T`. `wrap` makes it the consumer's row (a variant, where the consumer reads several
    /// topics); `gone` says whether the row is soft deleted, which every consumer treats as a delete.
    pub fn of<T: schemas::Row>(wrap: fn(T) -> R, gone: fn(&R) -> bool) -> Self {
        let read = move |schema: &Schema, bytes: &[u8]| {
            let Envelope { before, after, source, op, ts_ms, transaction } =
                schemas::decode::datum::<Envelope<T>>(schema, bytes)?;
            Ok(Envelope { before, after: after.map(wrap), source, op, ts_ms, transaction })
        };
        Self { name: T::TOPIC.into(), read: Box::new(read), gone }
    }

    /// The same table under another topic name, as tests and benchmarks have it.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// The topic's name, `<service>.<schema>.<table>`.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}

impl<R> fmt::Debug for Topic<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a record is not a change.
#[derive(Debug, thiserror::Error)]
pub enum NotAChange {
    /// The schema has not been fetched yet. Not a fault: it is fetched and the record is looked at again.
    #[error("schema {0} is not known yet")]
    SchemaNeeded(u32),
    /// No key: the record is of no entity.
    #[error("the record has no key, so it is of no entity; tables need a primary key")]
    NoKey,
    /// Not in the wire format.
    #[error("{part}: {error}")]
    Wire {
        /// `key` or `value`.
        part: &'static str,
        /// What is wrong.
        error: WireError,
    },
    /// Not what its schema says, or not what the row type needs.
    #[error("{part}: {error}")]
    Undecodable {
        /// `key` or `value`.
        part: &'static str,
        /// What is wrong.
        error: DecodeError,
    },
    /// The change cannot be ordered.
    #[error(transparent)]
    Unordered(#[from] PositionError),
    /// An operation that is of no row (truncate, message), or a row change without its row.
    #[error("operation `{0}` without the row that it is about")]
    NoRow(Operation),
}

/// The entity of a record, from its key.
pub fn entity(topic: &Arc<str>, key: Option<&[u8]>, registry: &Registry) -> Result<EntityKey, NotAChange> {
    let bytes = key.ok_or(NotAChange::NoKey)?;
    let (id, datum) = wire::split(bytes).map_err(|error| NotAChange::Wire { part: "key", error })?;
    let schema = registry.known(id).ok_or(NotAChange::SchemaNeeded(id))?;
    let key: KeyText =
        schemas::decode::datum(&schema, datum).map_err(|error| NotAChange::Undecodable { part: "key", error })?;
    Ok(EntityKey::new(topic.clone(), &key.0))
}

/// The change of a record with a value, given its entity and its epoch.
pub fn change<R>(
    topic: &Topic<R>,
    entity: EntityKey,
    coordinates: Coordinates,
    value: &[u8],
    epoch: i32,
    registry: &Registry,
) -> Result<Change<R>, NotAChange> {
    let (id, datum) = wire::split(value).map_err(|error| NotAChange::Wire { part: "value", error })?;
    let schema = registry.known(id).ok_or(NotAChange::SchemaNeeded(id))?;
    let envelope = (topic.read)(&schema, datum).map_err(|error| NotAChange::Undecodable { part: "value", error })?;
    let position = Position::of(epoch, &envelope.source)?;
    let update = envelope.op == Operation::Update;
    let effect = match (envelope.op, envelope.after) {
        (Operation::Delete, _) => Effect::Delete,
        (Operation::Create | Operation::Update | Operation::Read, Some(row)) if (topic.gone)(&row) => Effect::Delete,
        (Operation::Create | Operation::Update | Operation::Read, Some(row)) => Effect::Upsert { row, update },
        (operation, _) => return Err(NotAChange::NoRow(operation)),
    };
    Ok(Change { entity, coordinates, position, committed_ms: envelope.source.ts_ms, effect })
}

/// The key columns as text, joined by `,` in the key schema's order; `,` and `%` inside a text column are escaped.
struct KeyText(String);

impl<'de> Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = KeyText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record of key columns")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut text = String::with_capacity(24);
        let mut first = true;
        while let Some(serde::de::IgnoredAny) = map.next_key()? {
            if !first {
                text.push(',');
            }
            first = false;
            map.next_value::<KeyColumn>()?.write(&mut text);
        }
        if first {
            return Err(A::Error::custom("a key without columns"));
        }
        Ok(KeyText(text))
    }
}

/// The types that Postgres primary keys have on the wire here: integers and texts (uuid included).
enum KeyColumn {
    Integer(i64),
    Text(String),
}

impl<'de> Deserialize<'de> for KeyColumn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnVisitor)
    }
}

struct ColumnVisitor;

impl Visitor<'_> for ColumnVisitor {
    type Value = KeyColumn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer or a text")
    }

    fn visit_i32<E: Error>(self, number: i32) -> Result<KeyColumn, E> {
        Ok(KeyColumn::Integer(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<KeyColumn, E> {
        Ok(KeyColumn::Integer(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KeyColumn, E> {
        Ok(KeyColumn::Text(text.to_owned()))
    }
}

impl KeyColumn {
    fn write(&self, text: &mut String) {
        use std::fmt::Write as _;
        match self {
            Self::Integer(number) => {
                // writing into a String cannot fail
                let _ = write!(text, "{number}");
            }
            Self::Text(value) => text.push_str(&value.replace('%', "%25").replace(',', "%2C")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(schema: &str, datum: &[u8]) -> Result<String, DecodeError> {
        schemas::decode::datum::<KeyText>(&schema.parse().unwrap(), datum).map(|key| key.0)
    }

    #[test]
    fn an_integer_key_is_its_digits() {
        let schema = r#"{"type":"record","name":"Key","fields":[{"name":"id","type":"long"}]}"#;
        assert_eq!(key(schema, &[84]).unwrap(), "42");
    }

    #[test]
    fn a_composite_key_is_joined_and_cannot_be_confused_with_another() {
        let schema =
            r#"{"type":"record","name":"Key","fields":[{"name":"a","type":"string"},{"name":"b","type":"string"}]}"#;
        assert_eq!(key(schema, b"\x06x,y\x02z").unwrap(), "x%2Cy,z");
        assert_eq!(key(schema, b"\x02x\x06y,z").unwrap(), "x,y%2Cz");
    }

    #[test]
    fn a_key_without_columns_is_no_key() {
        assert!(key(r#"{"type":"record","name":"Key","fields":[]}"#, &[]).is_err());
    }
}
