//! What makes two requests the same one.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of parts, each with its length before it.
pub(super) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// A body as it is compared: JSON without spaces and with sorted members; anything else byte for byte.
pub(super) fn canonical(body: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => sorted(value).to_string().into_bytes(),
        Err(_) => body.to_vec(),
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_the_order_of_members_do_not_matter_but_values_do() {
        let one = canonical(br#"{"a": 1, "b": [{"x": 1, "y": 2}]}"#);
        assert_eq!(one, canonical(br#"{"b":[{"y":2,"x":1}],"a":1}"#));
        assert_ne!(one, canonical(br#"{"b":[{"y":2,"x":1}],"a":2}"#));
    }

    #[test]
    fn parts_cannot_flow_into_each_other() {
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
    }
}
