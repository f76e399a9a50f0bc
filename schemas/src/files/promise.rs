//! What a topic promises: `topic.json`.

use std::path::Path;

use serde::Deserialize;

use super::FileError;

/// The settings of a topic. How many replicas it has belongs to the cluster, not to the topic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// How many partitions. A key stays in its partition for as long as this number stays.
    pub partitions: i32,
    /// How many days records are kept: how far back a replay can reach.
    pub retention_days: u32,
    /// What happens to old records.
    pub cleanup: Cleanup,
    /// The largest record that the topic takes, in bytes.
    pub max_message_bytes: u32,
}

/// What happens to records that are older than the retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cleanup {
    /// They are deleted: the topic is a history of limited length.
    Delete,
    /// Only the last record of each key stays: the topic is a table.
    Compact,
}

impl Cleanup {
    /// As Kafka's `cleanup.policy` spells it.
    #[must_use]
    pub fn policy(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Compact => "compact",
        }
    }
}

impl Promise {
    /// Reads and judges a `topic.json`.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(FileError::io(path))?;
        let promise: Self = serde_json::from_str(&text).map_err(|error| FileError::content(path, &error))?;
        match promise.fault() {
            Some(fault) => Err(FileError::content(path, &fault)),
            None => Ok(promise),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        if self.partitions < 1 {
            Some("a topic needs at least one partition")
        } else if self.retention_days < 1 {
            Some("a topic must keep its records for at least a day, or nothing can be replayed")
        } else if self.max_message_bytes < 1_048_588 {
            Some("max_message_bytes is below Kafka's own default of 1048588")
        } else {
            None
        }
    }

    /// The topic's settings as Kafka names them.
    #[must_use]
    pub fn settings(&self) -> [(&'static str, String); 3] {
        let retention = u64::from(self.retention_days) * 24 * 60 * 60 * 1000;
        [
            ("cleanup.policy", self.cleanup.policy().to_owned()),
            ("max.message.bytes", self.max_message_bytes.to_string()),
            ("retention.ms", retention.to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_days_are_kept_in_milliseconds() {
        let promise =
            Promise { partitions: 6, retention_days: 30, cleanup: Cleanup::Delete, max_message_bytes: 6_291_456 };
        assert!(promise.settings().contains(&("retention.ms", "2592000000".to_owned())));
        assert_eq!(promise.fault(), None);
    }

    #[test]
    fn a_topic_that_keeps_nothing_is_refused() {
        let promise =
            Promise { partitions: 6, retention_days: 0, cleanup: Cleanup::Delete, max_message_bytes: 6_291_456 };
        assert!(promise.fault().unwrap().contains("replayed"));
    }
}
