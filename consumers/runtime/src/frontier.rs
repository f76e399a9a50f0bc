//! How far a partition is applied, kept in two places: Kafka's committed offset (the truth that every ordinary tool
//! reads), and `cdc.frontier` in the target, written in the transaction of the effect.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sqlx::PgExecutor;

/// What one record looked like, so that a topic deleted and made again is recognised: the record before the committed
/// offset is then another one, or missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// The record's timestamp, milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Length of the key in bytes.
    pub key_length: usize,
    /// Length of the value in bytes.
    pub value_length: usize,
    /// CRC-32 of the value.
    pub value_crc: u32,
}

impl Fingerprint {
    /// The fingerprint of a record.
    #[must_use]
    pub fn of(timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        Self {
            timestamp_ms,
            key_length: key.map_or(0, <[u8]>::len),
            value_length: value.map_or(0, <[u8]>::len),
            value_crc: crc32fast::hash(value.unwrap_or_default()),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { timestamp_ms, key_length, value_length, value_crc } = self;
        write!(f, "v1:{timestamp_ms}:{key_length}:{value_length}:{value_crc:08x}")
    }
}

/// Text that is no fingerprint of a version known here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a fingerprint: `{0}`")]
pub struct NotAFingerprint(String);

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.strip_prefix("v1:")?.split(':');
            let fingerprint = Self {
                timestamp_ms: parts.next()?.parse().ok()?,
                key_length: parts.next()?.parse().ok()?,
                value_length: parts.next()?.parse().ok()?,
                value_crc: u32::from_str_radix(parts.next()?, 16).ok()?,
            };
            parts.next().is_none().then_some(fingerprint)
        };
        parse().ok_or_else(|| NotAFingerprint(text.to_owned()))
    }
}

/// A partition is applied up to here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// The first offset that is not applied.
    pub next_offset: i64,
    /// The record before it.
    pub fingerprint: Fingerprint,
}

/// Writes a mark into the target's `cdc.frontier`. A late writer never moves it back.
pub async fn write(executor: impl PgExecutor<'_>, consumer: &str, mark: &Mark) -> sqlx::Result<()> {
    sqlx::query(
        "insert into cdc.frontier (consumer, topic, partition, next_offset, fingerprint) values ($1, $2, $3, $4, $5)
         on conflict (consumer, topic, partition) do update
            set next_offset = excluded.next_offset, fingerprint = excluded.fingerprint, updated_at = now()
          where cdc.frontier.next_offset <= excluded.next_offset",
    )
    .bind(consumer)
    .bind(&*mark.topic)
    .bind(mark.partition)
    .bind(mark.next_offset)
    .bind(mark.fingerprint.to_string())
    .execute(executor)
    .await?;
    Ok(())
}

/// The next offset that the target says is not applied; `None` where the partition never was.
pub async fn read(
    executor: impl PgExecutor<'_>,
    consumer: &str,
    topic: &str,
    partition: i32,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("select next_offset from cdc.frontier where consumer = $1 and topic = $2 and partition = $3")
        .bind(consumer)
        .bind(topic)
        .bind(partition)
        .fetch_optional(executor)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_survives_its_text() {
        let fingerprint = Fingerprint::of(1_700_000_000_123, Some(b"key"), Some(b"value"));
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }

    #[test]
    fn another_record_has_another_fingerprint() {
        let one = Fingerprint::of(1, Some(b"key"), Some(b"value"));
        assert_ne!(one, Fingerprint::of(2, Some(b"key"), Some(b"value")));
        assert_ne!(one, Fingerprint::of(1, Some(b"key"), Some(b"valuf")));
        assert_ne!(one, Fingerprint::of(1, Some(b"key"), None));
    }

    #[test]
    fn text_of_another_kind_is_no_fingerprint() {
        for text in ["", "v2:1:2:3:4", "v1:1:2:3", "v1:1:2:3:4:5", "v1:a:2:3:4"] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
