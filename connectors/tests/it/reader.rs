//! Reads a topic from its beginning, as bytes.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(90);

/// The records of a topic, partition by partition, once `enough` of them are there.
pub(crate) async fn read(topic: &str, enough: impl Fn(&[OwnedMessage]) -> bool + Send + 'static) -> Vec<OwnedMessage> {
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || read_blocking(&topic, enough)).await.unwrap()
}

fn read_blocking(topic: &str, enough: impl Fn(&[OwnedMessage]) -> bool) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", super::lab::setting("APP_ENV_KAFKA_BROKERS"))
        .set("group.id", bed::unique("reader"))
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let (started, mut records) = (Instant::now(), Vec::new());
    while !enough(&records) {
        assert!(started.elapsed() < PATIENCE, "{topic}: only {} records came", records.len());
        if let Some(record) = consumer.poll(Duration::from_millis(200)) {
            records.push(record.unwrap().detach());
        }
    }
    records
}

/// The text of a header.
pub(crate) fn header(record: &OwnedMessage, name: &str) -> Option<String> {
    let headers = record.headers()?;
    let header = headers.iter().find(|header| header.key == name)?;
    Some(String::from_utf8(header.value?.to_vec()).unwrap())
}
