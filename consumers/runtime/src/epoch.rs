//! The epoch of a record: how often its source was restored to an earlier point, so that log positions went back.

use std::collections::HashMap;

use sqlx::{PgExecutor, Row as _};

/// The epochs that operators declared for the topics of one consumer. No row means epoch 0.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Epochs {
    /// By topic and partition: (from offset, epoch), ascending.
    starts: HashMap<(String, i32), Vec<(i64, i32)>>,
}

impl Epochs {
    /// Reads what is declared for `topics`.
    pub async fn read(executor: impl PgExecutor<'_>, topics: &[String]) -> sqlx::Result<Self> {
        let rows = sqlx::query(
            "select topic, partition, from_offset, epoch from epoch where topic = any($1) order by from_offset",
        )
        .bind(topics)
        .fetch_all(executor)
        .await?;
        let mut epochs = Self::default();
        for row in rows {
            epochs.declare(
                row.try_get("topic")?,
                row.try_get("partition")?,
                row.try_get("from_offset")?,
                row.try_get("epoch")?,
            );
        }
        Ok(epochs)
    }

    /// Declares an epoch from an offset on. Offsets must be declared in ascending order.
    fn declare(&mut self, topic: String, partition: i32, from_offset: i64, epoch: i32) {
        self.starts.entry((topic, partition)).or_default().push((from_offset, epoch));
    }

    /// What is declared for one partition, for look-ups on the hot path.
    #[must_use]
    pub fn of_partition(&self, topic: &str, partition: i32) -> PartitionEpochs {
        PartitionEpochs(self.starts.get(&(topic.to_owned(), partition)).cloned().unwrap_or_default())
    }
}

/// The epochs of one partition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PartitionEpochs(Vec<(i64, i32)>);

impl PartitionEpochs {
    /// The epoch of what comes next.
    #[must_use]
    pub fn last(&self) -> i32 {
        self.0.last().map_or(0, |(_, epoch)| *epoch)
    }

    /// The epoch of the record at `offset`.
    #[must_use]
    pub fn at(&self, offset: i64) -> i32 {
        self.0.iter().rev().find(|(from, _)| *from <= offset).map_or(0, |(_, epoch)| *epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_from_before_a_restore_keep_their_epoch() {
        let mut epochs = Epochs::default();
        epochs.declare("t".into(), 0, 100, 1);
        epochs.declare("t".into(), 0, 200, 2);
        let partition = epochs.of_partition("t", 0);
        assert_eq!([0, 99, 100, 199, 200, 5000].map(|offset| partition.at(offset)), [0, 0, 1, 1, 2, 2]);
        assert_eq!(epochs.of_partition("t", 1).at(500), 0);
    }
}
