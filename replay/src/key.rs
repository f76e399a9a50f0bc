//! Where an entity's records lie, from its key alone.
//!
//! A record's partition is the murmur2 hash of its serialized key, and a serialized key begins with the id of its schema.
//! So the keys of an entity under every schema id that the registry knows, and under every number of partitions that the topic
//! is known to have had, name all partitions that need to be read.

use std::collections::BTreeSet;

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, schema::SchemaKind};
use schemas::ccompat::{Ccompat, CcompatError};
use schemas::wire;

/// The keys of one entity, as they can stand in records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Each serialized form once.
    pub bytes: BTreeSet<Vec<u8>>,
}

/// Why an entity has no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The registry did not answer.
    #[error(transparent)]
    Registry(#[from] CcompatError),
    /// No schema of the topic's key is registered: nothing was ever written there.
    #[error("the registry knows no key schema of {0}, so nothing was written there: is it captured?")]
    NoSchema(String),
    /// The text is no key of this topic.
    #[error("`{text}` is no key of {topic}: {reason}")]
    Unfit {
        /// What was given.
        text: String,
        /// The topic.
        topic: String,
        /// Why.
        reason: String,
    },
}

impl Keys {
    /// The keys of an entity under every key schema that the registry has for its topic.
    pub async fn of(registry: &Ccompat, topic: &str, text: &str) -> Result<Self, KeyError> {
        let versions = registry.versions(&format!("{topic}-key")).await?;
        if versions.is_empty() {
            return Err(KeyError::NoSchema(topic.to_owned()));
        }
        let mut bytes = BTreeSet::new();
        for version in versions {
            let datum = serialize(&version.schema, text).map_err(|reason| KeyError::Unfit {
                text: text.to_owned(),
                topic: topic.to_owned(),
                reason,
            })?;
            bytes.insert(wire::frame(version.id, &datum));
        }
        Ok(Self { bytes })
    }

    /// The partitions in which records with these keys can lie, under each of these numbers of partitions.
    #[must_use]
    pub fn partitions(&self, counts: &[i32]) -> BTreeSet<i32> {
        let of = |bytes: &Vec<u8>| counts.iter().map(|count| partition(bytes, *count)).collect::<Vec<_>>();
        self.bytes.iter().flat_map(of).collect()
    }

    /// Whether a record's key is one of these.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.bytes.contains(key)
    }
}

/// A key's Avro datum, from its text form (columns joined by `,`, in the schema's order).
fn serialize(schema: &str, text: &str) -> Result<Vec<u8>, String> {
    let schema = Schema::parse_str(schema).map_err(|error| error.to_string())?;
    let Schema::Record(record) = &schema else { return Err("its schema is no record".to_owned()) };
    let parts: Vec<&str> = text.split(',').collect();
    if parts.len() != record.fields.len() {
        let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
        return Err(format!("it needs {} column(s): {}", names.len(), names.join(",")));
    }
    let mut columns = Vec::with_capacity(parts.len());
    for (field, part) in record.fields.iter().zip(parts) {
        let number = || part.parse::<i64>().map_err(|_| format!("column {} is a whole number", field.name));
        let value = match SchemaKind::from(&field.schema) {
            SchemaKind::Long => Value::Long(number()?),
            SchemaKind::Int => {
                Value::Int(i32::try_from(number()?).map_err(|_| format!("column {} is an int", field.name))?)
            }
            SchemaKind::String | SchemaKind::Uuid => Value::String(part.replace("%2C", ",").replace("%25", "%")),
            other => return Err(format!("column {} is of type {other:?}, which no key here has", field.name)),
        };
        columns.push((field.name.clone(), value));
    }
    let writer = GenericDatumWriter::builder(&schema).build().map_err(|error| error.to_string())?;
    writer.write_value_to_vec(Value::Record(columns)).map_err(|error| error.to_string())
}

/// The partition that Kafka's default partitioner gives a key (`Utils.toPositive(murmur2(key)) % partitions`).
#[must_use]
pub fn partition(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff).cast_signed() % partitions.max(1)
}

/// Kafka's murmur2 (`org.apache.kafka.common.utils.Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    for (place, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn the_hash_is_kafkas() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }

    #[test]
    fn a_key_is_serialized_by_its_schema() {
        let long = r#"{"type":"record","name":"Key","fields":[{"name":"id","type":"long"}]}"#;
        assert_eq!(serialize(long, "42").unwrap(), [84]);
        assert!(serialize(long, "x").unwrap_err().contains("whole number"));
        assert!(serialize(long, "1,2").unwrap_err().contains("1 column"));
        let two = r#"{"type":"record","name":"Key","fields":[{"name":"a","type":"string"},{"name":"b","type":"int"}]}"#;
        assert_eq!(serialize(two, "x%2Cy,-1").unwrap(), [6, b'x', b',', b'y', 1]);
    }
}
