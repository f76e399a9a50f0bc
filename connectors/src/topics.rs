//! Topics as their folders promise them, made before a connector writes its first record.

use std::collections::BTreeMap;
use std::fmt;

use schemas::files::Promise;

use crate::brokers::{Brokers, BrokersError, Found};

/// What is to be done to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicChange {
    /// There is none.
    Create {
        /// The topic.
        topic: String,
        /// What it is to be.
        promise: Promise,
    },
    /// Its settings are others.
    Alter {
        /// The topic.
        topic: String,
        /// Setting, as it is, as it is to be.
        settings: Vec<(String, String, String)>,
        /// All of the topic's own settings as they are to be: Kafka replaces them together.
        complete: BTreeMap<String, String>,
    },
    /// It has another number of partitions, which nobody changes by the way.
    Partitions {
        /// The topic.
        topic: String,
        /// How many there are.
        found: usize,
        /// How many the folder says.
        promised: i32,
    },
}

/// Compares topics with their folders.
pub async fn compare(brokers: &Brokers, promises: &[(String, Promise)]) -> Result<Vec<TopicChange>, BrokersError> {
    let mut changes = Vec::new();
    for (topic, promise) in promises {
        match brokers.describe(topic).await? {
            None => changes.push(TopicChange::Create { topic: topic.clone(), promise: promise.clone() }),
            Some(found) => changes.extend(differences(topic, promise, &found)),
        }
    }
    Ok(changes)
}

fn differences(topic: &str, promise: &Promise, found: &Found) -> Vec<TopicChange> {
    let mut changes = Vec::new();
    if usize::try_from(promise.partitions) != Ok(found.partitions) {
        let (topic, found, promised) = (topic.to_owned(), found.partitions, promise.partitions);
        changes.push(TopicChange::Partitions { topic, found, promised });
    }
    let in_force = |name: &str| found.all.get(name).cloned().unwrap_or_default();
    let settings: Vec<(String, String, String)> = promise
        .settings()
        .into_iter()
        .filter(|(name, wanted)| in_force(name) != *wanted)
        .map(|(name, wanted)| (name.to_owned(), in_force(name), wanted))
        .collect();
    if !settings.is_empty() {
        let mut complete = found.own.clone();
        complete.extend(promise.settings().map(|(name, value)| (name.to_owned(), value)));
        changes.push(TopicChange::Alter { topic: topic.to_owned(), settings, complete });
    }
    changes
}

impl TopicChange {
    /// True when applying does something; a difference in partitions is only shown.
    #[must_use]
    pub fn is_applicable(&self) -> bool {
        !matches!(self, Self::Partitions { .. })
    }

    /// Does it.
    pub async fn apply(&self, brokers: &Brokers) -> Result<(), BrokersError> {
        match self {
            Self::Create { topic, promise } => brokers.create(topic, promise.partitions, &promise.settings()).await,
            Self::Alter { topic, complete, .. } => brokers.alter(topic, complete).await,
            Self::Partitions { .. } => Ok(()),
        }
    }
}

impl fmt::Display for TopicChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { topic, promise } => write!(
                formatter,
                "+ topic {topic}: {} partitions, {} days, {}",
                promise.partitions,
                promise.retention_days,
                promise.cleanup.policy()
            ),
            Self::Alter { topic, settings, .. } => {
                write!(formatter, "~ topic {topic}:")?;
                settings.iter().try_for_each(|(name, from, to)| write!(formatter, " {name} {from} -> {to}"))
            }
            Self::Partitions { topic, found, promised } => write!(
                formatter,
                "! topic {topic} has {found} partitions and its folder says {promised}: not changed, because keys would move \
                 to other partitions and an entity's changes would be out of order; see connectors/README.md"
            ),
        }
    }
}

/// The same promises as Connect's own rules for topics: if a topic is deleted under a running connector, it comes back
/// as promised, and not as the worker's default.
#[must_use]
pub fn creation_rules(promises: &[(String, Promise)]) -> BTreeMap<String, String> {
    let mut rules = BTreeMap::new();
    let mut groups = Vec::new();
    for (topic, promise) in promises {
        let group = topic.replace('.', "_");
        let mut rule = |name: &str, value: String| rules.insert(format!("topic.creation.{group}.{name}"), value);
        rule("include", topic.replace('.', "\\."));
        rule("partitions", promise.partitions.to_string());
        rule("replication.factor", "-1".to_owned());
        for (name, value) in promise.settings() {
            rule(name, value);
        }
        groups.push(group);
    }
    if !groups.is_empty() {
        rules.insert("topic.creation.groups".to_owned(), groups.join(","));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::files::Cleanup;

    fn promise() -> Promise {
        Promise { partitions: 6, retention_days: 30, cleanup: Cleanup::Delete, max_message_bytes: 6_291_456 }
    }

    fn found(partitions: usize, settings: &[(&str, &str)]) -> Found {
        let all: BTreeMap<String, String> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Found { partitions, own: all.clone(), all }
    }

    const AS_PROMISED: [(&str, &str); 3] =
        [("cleanup.policy", "delete"), ("max.message.bytes", "6291456"), ("retention.ms", "2592000000")];

    #[test]
    fn a_topic_as_promised_needs_nothing() {
        assert_eq!(differences("t", &promise(), &found(6, &AS_PROMISED)), []);
    }

    #[test]
    fn an_altered_setting_keeps_the_topics_other_settings() {
        let is = found(
            6,
            &[
                ("cleanup.policy", "delete"),
                ("retention.ms", "1"),
                ("max.message.bytes", "6291456"),
                ("segment.ms", "5"),
            ],
        );
        let changes = differences("t", &promise(), &is);
        let [TopicChange::Alter { settings, complete, .. }] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!(settings, &[("retention.ms".to_owned(), "1".to_owned(), "2592000000".to_owned())]);
        assert_eq!(complete.get("segment.ms").map(String::as_str), Some("5"));
    }

    #[test]
    fn another_number_of_partitions_is_shown_and_left_alone() {
        let changes = differences("t", &promise(), &found(3, &AS_PROMISED));
        assert!(!changes[0].is_applicable());
        assert!(changes[0].to_string().contains("keys would move"));
    }

    #[test]
    fn connect_makes_a_deleted_topic_again_as_promised() {
        let rules = creation_rules(&[("commerce.public.merchant".to_owned(), promise())]);
        assert_eq!(rules["topic.creation.groups"], "commerce_public_merchant");
        assert_eq!(rules["topic.creation.commerce_public_merchant.include"], "commerce\\.public\\.merchant");
        assert_eq!(rules["topic.creation.commerce_public_merchant.retention.ms"], "2592000000");
    }
}
