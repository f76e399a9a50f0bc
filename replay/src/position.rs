//! Where a consumer stands in each of its partitions: what the group committed, what is retained, what the owner says.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde::Serialize;
use sqlx::PgPool;

use crate::fleet::{Fleet, Owned};

/// How long the broker may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a partition stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Position {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The group's committed offset: the first that is not applied. None when the group has none.
    pub committed: Option<i64>,
    /// The first retained record.
    pub first: i64,
    /// The offset after the last record.
    pub end: i64,
    /// Records between committed and end.
    pub lag: Option<i64>,
    /// When the record at `committed` was written, milliseconds since 1970; none at the end.
    pub committed_ms: Option<i64>,
    /// When the first retained record was written.
    pub first_ms: Option<i64>,
    /// The owner and what it says; none when no worker has the partition.
    pub owner: Option<Owned>,
}

/// Why positions cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum PositionError {
    /// The brokers do not answer.
    #[error("the brokers: {0}")]
    Kafka(#[from] KafkaError),
    /// The control database does not answer.
    #[error("the control database: {0}")]
    Database(#[from] sqlx::Error),
    /// The reading thread ended.
    #[error("the reading ended: {0}")]
    Reading(#[from] tokio::task::JoinError),
}

/// The positions of a consumer in every partition that it ever started or owns now.
pub async fn positions(control: &PgPool, consumer: &str, client: ClientConfig) -> Result<Vec<Position>, PositionError> {
    let fleet = Fleet::read(control, Some(consumer)).await?;
    let mut partitions: Vec<(String, i32)> =
        sqlx::query_as("select topic, partition from started_partition where consumer = $1")
            .bind(consumer)
            .fetch_all(control)
            .await?;
    partitions.extend(fleet.0.iter().map(|owned| (owned.standing.topic.clone(), owned.standing.partition)));
    partitions.sort_unstable();
    partitions.dedup();
    let mut positions = tokio::task::spawn_blocking(move || ask(&client, &partitions)).await??;
    for position in &mut positions {
        position.owner = fleet.owner(&position.topic, position.partition).cloned();
    }
    Ok(positions)
}

fn ask(client: &ClientConfig, partitions: &[(String, i32)]) -> Result<Vec<Position>, KafkaError> {
    let kafka: BaseConsumer = client.create()?;
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in partitions {
        asked.add_partition(topic, *partition);
    }
    let committed = if partitions.is_empty() { asked } else { kafka.committed_offsets(asked, PATIENCE)? };
    let mut positions = Vec::with_capacity(partitions.len());
    for element in committed.elements() {
        let (topic, partition) = (element.topic(), element.partition());
        let (first, end) = kafka.fetch_watermarks(topic, partition, PATIENCE)?;
        let committed = if let Offset::Offset(offset) = element.offset() { Some(offset) } else { None };
        positions.push(Position {
            topic: topic.to_owned(),
            partition,
            committed,
            first,
            end,
            lag: committed.map(|committed| (end - committed).max(0)),
            committed_ms: None,
            first_ms: None,
            owner: None,
        });
    }
    times(&kafka, &mut positions)?;
    Ok(positions)
}

/// The times of the records at `first` and at `committed`, read without touching the group.
fn times(kafka: &BaseConsumer, positions: &mut [Position]) -> Result<(), KafkaError> {
    for position in positions {
        let retained = |offset: i64| (position.first..position.end).contains(&offset).then_some(offset);
        let (first, committed) = (retained(position.first), position.committed.and_then(retained));
        position.first_ms =
            first.map(|offset| time_at(kafka, &position.topic, position.partition, offset)).transpose()?.flatten();
        position.committed_ms =
            committed.map(|offset| time_at(kafka, &position.topic, position.partition, offset)).transpose()?.flatten();
    }
    Ok(())
}

/// The time of the first record at an offset or after it.
fn time_at(kafka: &BaseConsumer, topic: &str, partition: i32, offset: i64) -> Result<Option<i64>, KafkaError> {
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    kafka.assign(&place)?;
    let time = kafka.poll(PATIENCE).transpose()?.and_then(|message| message.timestamp().to_millis());
    kafka.unassign()?;
    Ok(time)
}
