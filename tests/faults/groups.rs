//! The consumers' groups, as a broker knows them.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// How long a broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Brokers, and which topics of theirs matter.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    pub(crate) brokers: String,
    pub(crate) topics: Vec<String>,
}

impl Groups {
    fn client(&self, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("group.id", group).set("enable.auto.commit", "false");
        config.create().unwrap()
    }

    /// The offset after the last record of every partition.
    pub(crate) fn ends(&self) -> TopicPartitionList {
        let client = self.client("looks");
        let mut ends = TopicPartitionList::new();
        for topic in &self.topics {
            let metadata = client.fetch_metadata(Some(topic), PATIENCE).unwrap();
            for partition in metadata.topics()[0].partitions() {
                let (_, end) = client.fetch_watermarks(topic, partition.id(), PATIENCE).unwrap();
                ends.add_partition_offset(topic, partition.id(), Offset::Offset(end)).unwrap();
            }
        }
        ends
    }

    /// A group that has never read begins there.
    pub(crate) fn begin(&self, group: &str, at: &TopicPartitionList) {
        self.client(group).commit(at, CommitMode::Sync).unwrap();
    }

    /// What a group has committed of a topic, by partition.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> BTreeMap<i32, i64> {
        let mut asked = TopicPartitionList::new();
        self.ends().elements_for_topic(topic).iter().for_each(|element| {
            asked.add_partition(topic, element.partition());
        });
        let answered = self.client(group).committed_offsets(asked, PATIENCE).unwrap();
        let offsets = answered.elements();
        offsets.iter().map(|element| (element.partition(), element.offset().to_raw().unwrap_or(-1))).collect()
    }

    /// How many records a group has not committed, of those before `ends` in the topics that it reads, by partition; where
    /// it has committed all there is no entry.
    pub(crate) fn behind(&self, group: &str, reads: &[&str], ends: &TopicPartitionList) -> BTreeMap<String, i64> {
        let mut asked = TopicPartitionList::new();
        for end in ends.elements().iter().filter(|element| reads.contains(&element.topic())) {
            asked.add_partition(end.topic(), end.partition());
        }
        let answered = self.client(group).committed_offsets(asked, PATIENCE).unwrap();
        let mut behind = BTreeMap::new();
        for element in answered.elements() {
            let end = ends.find_partition(element.topic(), element.partition()).unwrap().offset().to_raw().unwrap_or(0);
            let committed = element.offset().to_raw().filter(|offset| *offset > 0).unwrap_or(0);
            if committed < end {
                let partition = format!("{group} at {committed} of {}[{}]", element.topic(), element.partition());
                behind.insert(partition, end - committed);
            }
        }
        behind
    }
}
