//! A Kafka record with its bytes, as it is kept when it must be looked at again or parked.

use std::sync::Arc;

use bytes::Bytes;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

use crate::change::Coordinates;
use crate::frontier::Fingerprint;

/// A record, owned.
#[derive(Debug, Clone)]
pub struct Record {
    /// Where it lies.
    pub coordinates: Coordinates,
    /// The record's timestamp, milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The key's bytes.
    pub key: Option<Bytes>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in the record's order; names may repeat.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl Record {
    /// Copies a record out of librdkafka's memory.
    #[must_use]
    pub fn of(topic: &Arc<str>, message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers.iter().map(|h| (h.key.to_owned(), h.value.map(Bytes::copy_from_slice))).collect()
        });
        Self {
            coordinates: Coordinates { topic: topic.clone(), partition: message.partition(), offset: message.offset() },
            timestamp_ms: timestamp_ms(message),
            key: message.key().map(Bytes::copy_from_slice),
            value: message.payload().map(Bytes::copy_from_slice),
            headers,
        }
    }

    /// How this record is recognised again.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.timestamp_ms, self.key.as_deref(), self.value.as_deref())
    }
}

/// The record's timestamp in milliseconds; 0 where the broker gives none.
#[must_use]
pub fn timestamp_ms(message: &BorrowedMessage<'_>) -> i64 {
    message.timestamp().to_millis().unwrap_or_default()
}
