//! Which records of which partitions a selection is about.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use runtime::Settings;
use schemas::ccompat::Ccompat;
use serde::{Deserialize, Serialize};

use crate::key::{KeyError, Keys};
use crate::selection::{Place, Selection};

/// How long the broker may take to answer one question.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The configuration of a client that reads without a group.
#[must_use]
pub fn client(settings: &Settings) -> ClientConfig {
    let mut client = settings.client();
    client
        // no group of this name ever has members: partitions are assigned, offsets are not committed
        .set("group.id", "sluice-replay")
        .set("client.id", "sluice-replay")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", "8192")
        .set("fetch.message.max.bytes", "1048576");
    client
}

/// Records that lie together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The first record.
    pub from: i64,
    /// The offset after the last.
    pub to: i64,
}

impl Range {
    /// How many offsets lie in it.
    #[must_use]
    pub fn records(&self) -> i64 {
        (self.to - self.from).max(0)
    }
}

/// Why a selection has no ranges.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    /// The brokers do not answer.
    #[error("the brokers: {0}")]
    Kafka(#[from] KafkaError),
    /// A key cannot be looked for.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It begins before what the topic retains.
    #[error(
        "{topic}[{partition}] retains nothing before {first}, and the replay is to begin at {from}: \
             what was before can be had again by `sluice connectors snapshot`"
    )]
    NotRetained {
        /// The topic.
        topic: String,
        /// The partition's number.
        partition: i32,
        /// Where it was to begin.
        from: i64,
        /// The first retained record.
        first: i64,
    },
    /// The selection contradicts itself or the topics.
    #[error("{0}")]
    Unfit(String),
    /// The asking thread ended.
    #[error("the asking ended: {0}")]
    Asking(#[from] tokio::task::JoinError),
}

/// A partition, and what it retains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The first record.
    pub first: i64,
    /// The offset after the last.
    pub end: i64,
    /// How many partitions the topic has.
    pub partitions: i32,
}

/// What these topics retain.
pub async fn retained(client: &ClientConfig, topics: Vec<String>) -> Result<Vec<Retained>, RangeError> {
    let client = client.clone();
    tokio::task::spawn_blocking(move || {
        let kafka: BaseConsumer = client.create()?;
        let mut retained = Vec::new();
        for topic in topics {
            let metadata = kafka.fetch_metadata(Some(&topic), PATIENCE)?;
            let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
            let ids: Vec<i32> = partitions.map(MetadataPartition::id).collect();
            for partition in &ids {
                let (first, end) = kafka.fetch_watermarks(&topic, *partition, PATIENCE)?;
                let partitions = i32::try_from(ids.len()).unwrap_or(i32::MAX);
                retained.push(Retained { topic: topic.clone(), partition: *partition, first, end, partitions });
            }
        }
        Ok(retained)
    })
    .await?
}

/// The ranges of a selection among these topics, as they are retained now. Empty ranges are left out.
pub async fn resolve(
    client: &ClientConfig,
    registry: &Ccompat,
    topics: Vec<String>,
    selection: &Selection,
) -> Result<Vec<Range>, RangeError> {
    check(&topics, selection)?;
    let chosen: Vec<String> = topics.into_iter().filter(|topic| selection.accepts_topic(topic)).collect();
    let mut retained = retained(client, chosen).await?;
    retained.retain(|at| selection.partition.is_none_or(|partition| partition == at.partition));
    if !selection.entities.is_empty() {
        retained = with_entities(registry, retained, selection).await?;
    }
    let (client, selection) = (client.clone(), selection.clone());
    tokio::task::spawn_blocking(move || cut(&client, &selection, retained)).await?
}

fn check(topics: &[String], selection: &Selection) -> Result<(), RangeError> {
    let unfit = |reason: String| Err(RangeError::Unfit(reason));
    if let Some(topic) = selection.topic.as_ref().filter(|topic| !topics.contains(topic)) {
        return unfit(format!("the consumer does not read {topic}; it reads {}", topics.join(", ")));
    }
    for entity in &selection.entities {
        match entity.split_once('/') {
            Some((topic, key)) if !key.is_empty() && topics.iter().any(|known| known == topic) => {}
            _ => return unfit(format!("`{entity}` is not <topic>/<key> of {}", topics.join(", "))),
        }
    }
    let by_offset = [selection.from, selection.to].into_iter().flatten().any(|place| matches!(place, Place::Offset(_)));
    if by_offset && (selection.topic.is_none() || selection.partition.is_none()) {
        return unfit("an offset is of one partition: name its --topic and --partition, or give a time".to_owned());
    }
    Ok(())
}

/// Only the partitions in which records of the selection's entities lie since the topic has as many as now. Older ones, from
/// before partitions were added, say nothing newer.
async fn with_entities(
    registry: &Ccompat,
    retained: Vec<Retained>,
    selection: &Selection,
) -> Result<Vec<Retained>, RangeError> {
    let mut kept = Vec::new();
    for at in retained {
        let keys = selection.entities.iter().filter_map(|entity| entity.split_once('/'));
        for (_, key) in keys.filter(|(topic, _)| *topic == at.topic) {
            if can_lie_in(registry, &at, key).await? {
                kept.push(at);
                break;
            }
        }
    }
    Ok(kept)
}

async fn can_lie_in(registry: &Ccompat, at: &Retained, key: &str) -> Result<bool, RangeError> {
    let keys = Keys::of(registry, &at.topic, key).await?;
    Ok(keys.partitions(&[at.partitions]).contains(&at.partition))
}

fn cut(client: &ClientConfig, selection: &Selection, retained: Vec<Retained>) -> Result<Vec<Range>, RangeError> {
    let kafka: BaseConsumer = client.create()?;
    let mut ranges = Vec::new();
    for at in retained {
        let from = place(&kafka, &at, selection.from)?.unwrap_or(at.first);
        let to = place(&kafka, &at, selection.to)?.unwrap_or(at.end).min(at.end);
        let Retained { topic, partition, first, .. } = at;
        if from < first && to > from {
            return Err(RangeError::NotRetained { topic, partition, from, first });
        }
        if from < to {
            ranges.push(Range { topic, partition, from, to });
        }
    }
    Ok(ranges)
}

/// A place as an offset; none where it was not given.
fn place(kafka: &BaseConsumer, at: &Retained, place: Option<Place>) -> Result<Option<i64>, RangeError> {
    let time = match place {
        None => return Ok(None),
        Some(Place::Offset(offset)) => return Ok(Some(offset)),
        Some(Place::Time(time)) => time,
    };
    let mut asked = TopicPartitionList::new();
    asked.add_partition_offset(&at.topic, at.partition, Offset::Offset(time))?;
    let found = kafka.offsets_for_times(asked, PATIENCE)?;
    let offset = found.elements().first().map(rdkafka::topic_partition_list::TopicPartitionListElem::offset);
    // no record of that time or later
    Ok(Some(if let Some(Offset::Offset(offset)) = offset { offset } else { at.end }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_selection_that_names_no_topic_of_the_consumer_or_half_a_place_is_refused() {
        let topics = ["a.b.c".to_owned()];
        let refused = |selection: &Selection| check(&topics, selection).unwrap_err().to_string();
        let other = Selection { topic: Some("a.b.d".to_owned()), ..Selection::default() };
        assert_eq!(refused(&other), "the consumer does not read a.b.d; it reads a.b.c");
        let half = Selection { from: Some(Place::Offset(7)), ..Selection::default() };
        assert!(refused(&half).contains("--partition"));
        let entity = Selection { entities: BTreeSet::from(["42".to_owned()]), ..Selection::default() };
        assert!(refused(&entity).contains("<topic>/<key>"));
        let good = Selection { entities: BTreeSet::from(["a.b.c/42".to_owned()]), ..Selection::default() };
        assert!(check(&topics, &good).is_ok());
    }
}
