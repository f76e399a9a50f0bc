//! The Confluent wire format: a zero byte, the schema's id as four big-endian bytes, then Avro.
//!
//! <https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format>

/// Why bytes are not in the wire format. Such a record can never be read: it is parked, not retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Fewer bytes than the header has.
    #[error(
        "{length} bytes are too few for the wire format, which starts with five; was it written by another producer?"
    )]
    Short {
        /// How many bytes there were.
        length: usize,
    },
    /// The first byte is not zero.
    #[error("the first byte is {found:#04x} where the wire format has 0x00; was it written without the registry?")]
    Magic {
        /// The byte that was found.
        found: u8,
    },
}

/// How many bytes stand before the Avro datum.
pub const HEADER_LENGTH: usize = 5;

/// Splits a key or a value into the id of its writer's schema and its Avro datum.
pub fn split(bytes: &[u8]) -> Result<(u32, &[u8]), WireError> {
    match bytes {
        [0, a, b, c, d, datum @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        [found, ..] if *found != 0 => Err(WireError::Magic { found: *found }),
        short => Err(WireError::Short { length: short.len() }),
    }
}

/// Puts the header before an Avro datum: what Connect's converter writes, for tests and for hashing a key.
#[must_use]
pub fn frame(id: u32, datum: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(HEADER_LENGTH + datum.len());
    framed.push(0);
    framed.extend_from_slice(&id.to_be_bytes());
    framed.extend_from_slice(datum);
    framed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framed_datum_splits_into_its_id_and_itself() {
        assert_eq!(split(&frame(0x0102_0304, b"avro")), Ok((0x0102_0304, &b"avro"[..])));
    }

    #[test]
    fn an_empty_datum_is_a_datum() {
        assert_eq!(split(&[0, 0, 0, 0, 7]), Ok((7, &b""[..])));
    }

    #[test]
    fn a_wrong_first_byte_is_named() {
        assert_eq!(split(b"{\"id\":1}"), Err(WireError::Magic { found: b'{' }));
        assert_eq!(split(b"{"), Err(WireError::Magic { found: b'{' }));
    }

    #[test]
    fn too_few_bytes_are_counted() {
        assert_eq!(split(&[]), Err(WireError::Short { length: 0 }));
        assert_eq!(split(&[0, 0, 0, 1]), Err(WireError::Short { length: 4 }));
    }
}
