//! Where a change stands in the order of its source.
//!
//! Debezium's `source.lsn` alone does not order changes: transactions interleave in the log, and the rows of one COPY
//! share it. The commit's position orders transactions, the row's own orders the changes inside one. Log positions are
//! comparable within one timeline of one cluster only, so the epoch, which an operator raises when a source was
//! restored, stands before both.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::envelope::Source;

/// The position of a change: compared as a tuple, epoch first.
///
/// Guard columns hold it as `cdc_epoch integer, cdc_commit_lsn bigint, cdc_lsn bigint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// How often the source's log positions have gone back.
    pub epoch: i32,
    /// The last commit before the change's own transaction, in bytes of the write-ahead log.
    pub commit_lsn: u64,
    /// The change itself, in bytes of the write-ahead log.
    pub lsn: u64,
}

/// Why a change has no position. Such a record is parked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// Neither `source.lsn` nor the second part of `source.sequence` is there.
    #[error(
        "the change has neither source.lsn nor source.sequence, so it cannot be ordered; was it written by Debezium for Postgres?"
    )]
    Missing,
}

impl Position {
    /// The position of a change, in the epoch that its coordinates belong to.
    ///
    /// The first part of `source.sequence` is null until the first commit on a new slot or after a snapshot; the
    /// record's own position stands for it then (with zero, each such change would lose against what is there).
    /// Reads of an incremental snapshot have no `source.lsn`; the second part of the sequence is theirs.
    pub fn of(epoch: i32, source: &Source) -> Result<Self, PositionError> {
        let sequence = source.sequence.unwrap_or_default();
        let lsn = source.lsn.or(sequence.lsn).ok_or(PositionError::Missing)?;
        Ok(Self { epoch, commit_lsn: sequence.last_commit_lsn.unwrap_or(lsn), lsn })
    }

    /// The three columns of a guarded row. A log position fits into a bigint: [`Sequence`] refuses what does not.
    #[must_use]
    pub fn to_columns(self) -> (i32, i64, i64) {
        (self.epoch, self.commit_lsn.cast_signed(), self.lsn.cast_signed())
    }

    /// Reads the three columns of a guarded row.
    #[must_use]
    pub fn from_columns(epoch: i32, commit_lsn: i64, lsn: i64) -> Self {
        Self { epoch, commit_lsn: commit_lsn.cast_unsigned(), lsn: lsn.cast_unsigned() }
    }
}

impl fmt::Display for Position {
    /// As Postgres prints log positions: `epoch:commit/row`, such as `0:0/16B3748:0/16B3800`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (commit, row) = (Lsn(self.commit_lsn), Lsn(self.lsn));
        write!(formatter, "{}:{commit}:{row}", self.epoch)
    }
}

/// A position in the write-ahead log, printed as Postgres prints `pg_lsn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// `source.sequence`: a JSON array of two decimal strings, either of which may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The last commit that the connector had seen.
    pub last_commit_lsn: Option<u64>,
    /// The change itself.
    pub lsn: Option<u64>,
}

impl Sequence {
    /// Reads `["<last commit>","<own>"]`. Positions beyond a bigint are refused: they could not be kept in a guard.
    pub fn parse(text: &str) -> Result<Self, SequenceError> {
        let error = || SequenceError(text.to_owned());
        let inner = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or_else(error)?;
        let (last_commit, own) = inner.split_once(',').ok_or_else(error)?;
        Ok(Self { last_commit_lsn: part(last_commit).map_err(|()| error())?, lsn: part(own).map_err(|()| error())? })
    }
}

/// `source.sequence` is not two decimal strings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("source.sequence is {0:?} where two decimal strings or nulls in an array are expected")]
pub struct SequenceError(String);

fn part(text: &str) -> Result<Option<u64>, ()> {
    let text = text.trim();
    if text == "null" {
        return Ok(None);
    }
    let digits = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(())?;
    let number: i64 = digits.parse().map_err(drop)?;
    u64::try_from(number).map(Some).map_err(drop)
}

impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SequenceVisitor)
    }
}

struct SequenceVisitor;

impl Visitor<'_> for SequenceVisitor {
    type Value = Sequence;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON array of two decimal strings")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Sequence::parse(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(sequence: &str, lsn: Option<u64>) -> Source {
        Source { sequence: Some(Sequence::parse(sequence).unwrap()), lsn, ..Source::default() }
    }

    #[test]
    fn a_streamed_change_is_ordered_by_its_commit_and_then_by_itself() {
        let position = Position::of(0, &source(r#"["24023119","24023128"]"#, Some(24_023_128))).unwrap();
        assert_eq!(position, Position { epoch: 0, commit_lsn: 24_023_119, lsn: 24_023_128 });
    }

    #[test]
    fn a_null_commit_is_the_records_own_position() {
        let position = Position::of(3, &source(r#"[null,"24023128"]"#, Some(24_023_128))).unwrap();
        assert_eq!(position, Position { epoch: 3, commit_lsn: 24_023_128, lsn: 24_023_128 });
    }

    #[test]
    fn an_incremental_snapshots_position_comes_from_its_sequence() {
        let position = Position::of(0, &source(r#"["100","200"]"#, None)).unwrap();
        assert_eq!(position, Position { epoch: 0, commit_lsn: 100, lsn: 200 });
    }

    #[test]
    fn a_change_without_any_position_says_so() {
        assert_eq!(Position::of(0, &Source::default()), Err(PositionError::Missing));
        assert_eq!(Position::of(0, &source("[null,null]", None)), Err(PositionError::Missing));
    }

    #[test]
    fn the_epoch_outweighs_the_commit_and_the_commit_outweighs_the_row() {
        let before = Position { epoch: 0, commit_lsn: 900, lsn: 950 };
        let restored = Position { epoch: 1, commit_lsn: 100, lsn: 110 };
        let later = Position { epoch: 0, commit_lsn: 901, lsn: 300 };
        assert!(restored > before && restored > later && later > before);
    }

    #[test]
    fn what_is_not_a_sequence_is_refused() {
        for text in [
            "",
            "[]",
            r#"["1"]"#,
            r#"["1","2","3"]"#,
            r#"["x","2"]"#,
            r#"["-1","2"]"#,
            "[1,2]",
            r#"["9223372036854775808","1"]"#,
        ] {
            assert!(Sequence::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_position_prints_as_postgres_prints_log_positions() {
        let position = Position { epoch: 2, commit_lsn: 0x1_016B_3748, lsn: 0x1_016B_3800 };
        assert_eq!(position.to_string(), "2:1/16B3748:1/16B3800");
    }

    proptest! {
        #[test]
        fn columns_keep_a_position_and_its_order(a in any::<(i32, u32, u32)>(), b in any::<(i32, u32, u32)>()) {
            let of = |(epoch, commit, row): (i32, u32, u32)| Position { epoch, commit_lsn: commit.into(), lsn: row.into() };
            let (x, y) = (of(a), of(b));
            prop_assert_eq!(x.cmp(&y), x.to_columns().cmp(&y.to_columns()));
            let (epoch, commit, row) = x.to_columns();
            prop_assert_eq!(Position::from_columns(epoch, commit, row), x);
        }

        #[test]
        fn any_two_positions_are_read_back(commit in proptest::option::of(0..=i64::MAX), own in proptest::option::of(0..=i64::MAX)) {
            let text = |part: Option<i64>| part.map_or("null".to_owned(), |number| format!("\"{number}\""));
            let sequence = Sequence::parse(&format!("[{},{}]", text(commit), text(own))).unwrap();
            prop_assert_eq!(sequence.last_commit_lsn, commit.map(i64::cast_unsigned));
            prop_assert_eq!(sequence.lsn, own.map(i64::cast_unsigned));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = Sequence::parse(&text);
        }
    }
}
