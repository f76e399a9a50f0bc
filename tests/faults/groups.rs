//! The consumers' groups, as a broker knows them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::day::TOPICS;

/// How long a broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Brokers, and which topics of theirs matter.
#[derive(Clone)]
pub(crate) struct Groups {
    brokers: String,
    topics: Vec<String>,
    /// By group: what is asked again and again needs no new connection.
    clients: Arc<Mutex<HashMap<String, Arc<BaseConsumer>>>>,
}

impl Groups {
    pub(crate) fn at(brokers: String) -> Self {
        Self { brokers, topics: TOPICS.map(str::to_owned).into(), clients: Arc::default() }
    }

    fn new_client(&self, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("group.id", group).set("enable.auto.commit", "false");
        config.create().unwrap()
    }

    fn client(&self, group: &str) -> Arc<BaseConsumer> {
        let make = || Arc::new(self.new_client(group));
        self.clients.lock().unwrap().entry(group.to_owned()).or_insert_with(make).clone()
    }

    /// The offset after the last record of every partition.
    pub(crate) fn ends(&self) -> TopicPartitionList {
        // a client that knew a topic does not see that it was made again
        let client = self.new_client("looks");
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
