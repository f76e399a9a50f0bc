//! What Debezium says about a change, around the row.

use std::fmt;

use serde::de::{Error, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};

use crate::position::Sequence;

/// One change: the row after it, and where it comes from.
///
/// `B` is the row before the change. It is not read unless asked for: under the default replica identity an update has
/// none, and a delete's holds the key and nothing that can be trusted (NOT NULL columns carry fallbacks such as an
/// empty text). The id of a deleted row is the record's key. Tables with REPLICA IDENTITY FULL use `Envelope<R, R>`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(bound(deserialize = "R: Deserialize<'de>, B: Deserialize<'de>"))]
pub struct Envelope<R, B = IgnoredAny> {
    /// The row before the change, where Debezium has it.
    pub before: Option<B>,
    /// The row after the change: none for a delete and a truncate.
    pub after: Option<R>,
    /// Where and when the change was committed.
    pub source: Source,
    /// What happened.
    pub op: Operation,
    /// When Debezium read the change, in milliseconds since 1970; by the clock of the machine that Connect runs on.
    pub ts_ms: Option<i64>,
    /// The change's transaction, when the connector is told to say (`provide.transaction.metadata`).
    pub transaction: Option<Transaction>,
}

/// What happened to the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Operation {
    /// The row was inserted (also the second half of a change of its key).
    #[serde(rename = "c")]
    Create,
    /// The row was updated; its key is the same.
    #[serde(rename = "u")]
    Update,
    /// The row was deleted (also the first half of a change of its key). A tombstone follows.
    #[serde(rename = "d")]
    Delete,
    /// The row was read by a snapshot: it is so, whenever it came to be so.
    #[serde(rename = "r")]
    Read,
    /// The table was emptied. Skipped by the connectors here (`skipped.operations`), and without a key.
    #[serde(rename = "t")]
    Truncate,
    /// A logical message, which is no row at all.
    #[serde(rename = "m")]
    Message,
}

impl Operation {
    /// Debezium's letter.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Create => "c",
            Self::Update => "u",
            Self::Delete => "d",
            Self::Read => "r",
            Self::Truncate => "t",
            Self::Message => "m",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.letter())
    }
}

/// Where and when a change was committed. Database and table are not read: the topic names them, and a consumer would
/// allocate both for every record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Source {
    /// When the change was committed, in milliseconds since 1970, by the database's clock. For a snapshot's read, when
    /// it was read.
    pub ts_ms: i64,
    /// Whether a snapshot read the row, and which kind.
    #[serde(default)]
    pub snapshot: Snapshot,
    /// The last commit seen before the change and the change itself. See [`crate::Position::of`].
    pub sequence: Option<Sequence>,
    /// The database's transaction id; none for an incremental snapshot's read.
    #[serde(rename = "txId")]
    pub tx_id: Option<i64>,
    /// The change's position in the write-ahead log; none for an incremental snapshot's read.
    #[serde(default, deserialize_with = "lsn")]
    pub lsn: Option<u64>,
}

/// A log position is a count of bytes: a negative one is a damaged record, and a bigint must hold it.
fn lsn<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let lsn: Option<i64> = Option::deserialize(deserializer)?;
    lsn.map(|lsn| u64::try_from(lsn).map_err(|_| D::Error::custom("source.lsn is negative"))).transpose()
}

/// Whether a snapshot read the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Snapshot {
    /// No: the change was streamed from the log.
    #[default]
    No,
    /// The initial snapshot of a connector (`true`, `first`, `last`, `first_in_data_collection` and so on).
    Initial,
    /// An incremental snapshot, taken by a signal while changes go on.
    Incremental,
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(SnapshotVisitor)
    }
}

struct SnapshotVisitor;

impl<'de> Visitor<'de> for SnapshotVisitor {
    type Value = Snapshot;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("what source.snapshot can be, or null")
    }

    fn visit_none<E: Error>(self) -> Result<Snapshot, E> {
        Ok(Snapshot::No)
    }

    fn visit_unit<E: Error>(self) -> Result<Snapshot, E> {
        Ok(Snapshot::No)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Snapshot, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Snapshot, E> {
        Ok(match text {
            "false" => Snapshot::No,
            "incremental" => Snapshot::Incremental,
            _ => Snapshot::Initial,
        })
    }
}

/// The transaction that a change belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Transaction {
    /// The transaction id and the change's log position, `779:24960296`: it differs between the changes of one
    /// transaction. See [`Transaction::group`].
    pub id: String,
    /// The change's place among all changes of the transaction, from 1.
    pub total_order: i64,
    /// The change's place among the transaction's changes of its table, from 1.
    pub data_collection_order: i64,
}

impl Transaction {
    /// What the changes of one transaction share: the id before the colon.
    #[must_use]
    pub fn group(&self) -> &str {
        self.id.split_once(':').map_or(self.id.as_str(), |(group, _)| group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(json: &str) -> Snapshot {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_kind_of_snapshot_is_told_apart() {
        assert_eq!(snapshot("null"), Snapshot::No);
        assert_eq!(snapshot(r#""false""#), Snapshot::No);
        assert_eq!(snapshot(r#""incremental""#), Snapshot::Incremental);
        for text in [r#""true""#, r#""first""#, r#""last""#, r#""first_in_data_collection""#] {
            assert_eq!(snapshot(text), Snapshot::Initial, "{text}");
        }
    }

    #[test]
    fn an_operation_reads_back_from_its_letter() {
        for letter in ["c", "u", "d", "r", "t", "m"] {
            let operation: Operation = serde_json::from_str(&format!("\"{letter}\"")).unwrap();
            assert_eq!(operation.to_string(), letter);
        }
        assert!(serde_json::from_str::<Operation>("\"x\"").is_err());
    }

    #[test]
    fn the_changes_of_one_transaction_share_its_group() {
        let of = |id: &str| Transaction { id: id.to_owned(), total_order: 1, data_collection_order: 1 };
        assert_eq!(of("779:24960296").group(), of("779:24960400").group());
        assert_eq!(of("779").group(), "779");
    }

    #[test]
    fn a_negative_log_position_is_a_damaged_record() {
        let json = r#"{"ts_ms":1,"db":"d","sequence":null,"table":"t","txId":1,"lsn":-5}"#;
        assert!(serde_json::from_str::<Source>(json).unwrap_err().to_string().contains("negative"));
    }
}
