//! From Avro bytes to rows, by the writer's schema.

use serde::Deserialize;
use serde_avro_fast::Schema;
use serde_avro_fast::de::{DeserializerConfig, DeserializerState, read::SliceRead};

/// Why a datum does not become what was asked for. Such a record is parked: reading it again changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not a datum of the schema, or the datum is not of the wanted type.
    #[error("the datum does not decode: {0}")]
    Datum(#[from] serde_avro_fast::de::DeError),
    /// Bytes were left over: the schema is not the one that wrote them.
    #[error("{0} bytes are left after the datum, so another schema wrote it")]
    Left(usize),
}

/// Longest array or map that a datum may hold, so that a damaged length cannot keep a consumer busy.
const LONGEST_SEQUENCE: usize = 10_000_000;

/// Decodes a datum with the schema that wrote it. What the type does not name is skipped; what the type names and the
/// schema lacks must be an `Option` or have a `serde` default; unions are resolved by the schema.
pub fn datum<'de, T: Deserialize<'de>>(schema: &Schema, bytes: &'de [u8]) -> Result<T, DecodeError> {
    let mut config = DeserializerConfig::new(schema);
    config.max_seq_size = LONGEST_SEQUENCE;
    let mut state = DeserializerState::with_config(SliceRead::new(bytes), config);
    let value = T::deserialize(state.deserializer())?;
    match std::io::BufRead::fill_buf(&mut state.into_reader()) {
        Ok([]) | Err(_) => Ok(value),
        Ok(left) => Err(DecodeError::Left(left.len())),
    }
}

/// Decodes a datum for people: the whole of it, as JSON, unions flattened and fields in the schema's order.
pub fn json(schema: &Schema, bytes: &[u8]) -> Result<serde_json::Value, DecodeError> {
    datum(schema, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Pair {
        a: Option<String>,
    }

    fn schema() -> Schema {
        r#"{"type":"record","name":"R","fields":[{"name":"b","type":"long"},{"name":"a","type":["string","null"],"default":"x"}]}"#
            .parse()
            .unwrap()
    }

    #[test]
    fn a_union_is_resolved_by_its_schema_and_not_by_the_place_of_null() {
        assert_eq!(datum::<Pair>(&schema(), &[2, 0, 2, b'h']).unwrap(), Pair { a: Some("h".to_owned()) });
        assert_eq!(datum::<Pair>(&schema(), &[2, 2]).unwrap(), Pair { a: None });
    }

    #[test]
    fn left_over_bytes_are_an_error() {
        assert!(matches!(datum::<Pair>(&schema(), &[2, 2, 9]), Err(DecodeError::Left(1))));
    }

    #[test]
    fn a_cut_datum_is_an_error() {
        assert!(matches!(datum::<Pair>(&schema(), &[2, 0, 20, b'h']), Err(DecodeError::Datum(_))));
        assert!(matches!(datum::<Pair>(&schema(), &[]), Err(DecodeError::Datum(_))));
    }

    #[test]
    fn a_datum_prints_as_json_in_the_schemas_order() {
        assert_eq!(json(&schema(), &[2, 0, 2, b'h']).unwrap().to_string(), r#"{"b":1,"a":"h"}"#);
    }
}
