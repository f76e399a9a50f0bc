//! Where one entity stands: its row, its records, what became of each at each consumer, and what the targets hold.
//!
//! Nothing is kept for this: what became of a record follows from where a consumer stands, from what is parked, and from
//! which of the entity's records is the newest.

use std::collections::BTreeSet;
use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::message::Message as _;
use runtime::epoch::Epochs;
use runtime::record::Record;
use runtime::{Consumer, EntityKey, Fault, Held, frontier, parking};
use schemas::ccompat::Ccompat;
use schemas::position::Position;
use schemas::{Envelope, Registry, decode, wire};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;

use crate::key::Keys;
use crate::range::{Range, RangeError, Retained, retained};
use crate::reading::{self, ReadError};

/// A record of the entity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Located {
    /// `topic[partition]@offset`.
    pub at: String,
    /// The partition's number.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// When it was written to the topic, in milliseconds since 1970.
    pub written_ms: i64,
    /// `c`, `u`, `d`, `r`, or `tombstone`; what is wrong where it cannot be read.
    pub operation: String,
    /// Where the change stands in its source's history, `epoch:commit/row`.
    pub position: Option<String>,
    /// When the source committed it, in milliseconds since 1970.
    pub committed_ms: Option<i64>,
    /// The envelope.
    pub envelope: Option<Value>,
    #[serde(skip)]
    order: Option<Position>,
}

/// What became of a record at a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "kebab-case")]
pub enum Fate {
    /// It was applied.
    Applied,
    /// It says nothing that the delete before it has not said.
    Tombstone,
    /// A newer change of the entity was read too, and that one stands.
    Superseded {
        /// Where the newer one lies.
        by: String,
    },
    /// It was set aside.
    Parked {
        /// Its number among the parked.
        id: i64,
        /// Why.
        cause: String,
        /// What was said.
        detail: String,
    },
    /// The consumer is not there yet.
    NotReached {
        /// Where it stands in the partition; none when it never started there.
        position: Option<i64>,
    },
}

/// What a consumer made of the entity.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// The consumer.
    pub consumer: String,
    /// What became of each record, in the records' order.
    pub fates: Vec<Fate>,
    /// What its target holds.
    pub held: Vec<Held>,
}

/// Why an entity cannot be traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// Its partitions are not known.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// Its key is not known.
    #[error(transparent)]
    Key(#[from] crate::key::KeyError),
    /// A partition could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A database does not answer.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The target does not answer.
    #[error("the target: {0}")]
    Target(#[from] Fault),
    /// The reading thread ended.
    #[error("the reading ended: {0}")]
    Reading(#[from] tokio::task::JoinError),
}

/// Where records are looked for.
pub struct Library {
    /// How brokers are asked; see [`Library::new`].
    client: ClientConfig,
    /// Schemas by id.
    registry: Arc<Registry>,
    /// Schemas by subject.
    subjects: Ccompat,
}

impl Library {
    /// Brokers as a consumer's settings name them, and the registry.
    #[must_use]
    pub fn new(settings: &runtime::Settings, registry: Arc<Registry>, subjects: Ccompat) -> Self {
        Self { client: crate::range::client(settings), registry, subjects }
    }

    /// Every retained record of an entity, in the order of its changes. `counts` are numbers of partitions that the topic
    /// is known to have had beside the present one.
    ///
    /// Keys first: of the partitions in which the entity's records can lie, every record's key is compared as bytes, and
    /// only its own are decoded.
    ///
    /// # Errors
    /// When brokers or registry do not answer, or the key is none of this topic.
    pub async fn records(
        &self,
        control: &PgPool,
        entity: &EntityKey,
        counts: &[i32],
    ) -> Result<Vec<Located>, TraceError> {
        let keys = Arc::new(Keys::of(&self.subjects, entity.topic(), entity.key()).await?);
        let epochs = Epochs::read(control, &[entity.topic().to_owned()]).await?;
        let retained = retained(&self.client, vec![entity.topic().to_owned()]).await?;
        let mut reading = tokio::task::JoinSet::new();
        for at in chosen(&keys, retained, counts) {
            let (client, keys) = (self.client.clone(), keys.clone());
            reading.spawn_blocking(move || matching(&client, &at, &keys));
        }
        let mut located = Vec::new();
        while let Some(found) = reading.join_next().await {
            for record in found?? {
                located.push(self.locate(&record, &epochs).await);
            }
        }
        located.sort_by_key(|located: &Located| (located.order, located.written_ms, located.offset));
        Ok(located)
    }

    async fn locate(&self, record: &Record, epochs: &Epochs) -> Located {
        let at = &record.coordinates;
        let mut located = Located {
            at: at.to_string(),
            partition: at.partition,
            offset: at.offset,
            written_ms: record.timestamp_ms,
            operation: "tombstone".to_owned(),
            position: None,
            committed_ms: None,
            envelope: None,
            order: None,
        };
        let Some(value) = &record.value else { return located };
        let read = async {
            let (id, datum) = wire::split(value).map_err(|error| error.to_string())?;
            let schema = self.registry.schema(id).await.map_err(|error| error.to_string())?;
            let json = decode::json(&schema, datum).map_err(|error| error.to_string())?;
            let envelope: Envelope<serde::de::IgnoredAny> =
                decode::datum(&schema, datum).map_err(|error| error.to_string())?;
            Ok::<_, String>((json, envelope))
        };
        match read.await {
            Ok((json, envelope)) => {
                let epoch = epochs.of_partition(&at.topic, at.partition).at(at.offset);
                located.order = Position::of(epoch, &envelope.source).ok();
                located.position = located.order.map(|position| position.to_string());
                json["op"].as_str().unwrap_or("?").clone_into(&mut located.operation);
                located.committed_ms = Some(envelope.source.ts_ms);
                located.envelope = Some(json);
            }
            Err(reason) => located.operation = format!("unreadable: {reason}"),
        }
        located
    }
}

/// The partitions in which records with these keys can lie.
fn chosen(keys: &Keys, retained: Vec<Retained>, counts: &[i32]) -> Vec<Retained> {
    let present = retained.first().map(|at| at.partitions);
    let counts: Vec<i32> = counts.iter().copied().chain(present).collect();
    let wanted: BTreeSet<i32> = keys.partitions(&counts);
    retained.into_iter().filter(|at| wanted.contains(&at.partition) && at.first < at.end).collect()
}

fn matching(client: &ClientConfig, at: &Retained, keys: &Keys) -> Result<Vec<Record>, ReadError> {
    let range = Range { topic: at.topic.clone(), partition: at.partition, from: at.first, to: at.end };
    let (topic, mut found): (Arc<str>, _) = (at.topic.as_str().into(), Vec::new());
    reading::each(client, &range, |message| {
        if message.key().is_some_and(|key| keys.contains(key)) {
            found.push(Record::of(&topic, message));
        }
        true
    })?;
    Ok(found)
}

/// What a consumer made of an entity with these records.
///
/// # Errors
/// When its databases or its target do not answer.
pub async fn made<C: Consumer>(
    consumer: &C,
    control: &PgPool,
    entity: &EntityKey,
    records: &[Located],
) -> Result<Made, TraceError> {
    let parked = parking::list(control, consumer.name(), Some(&entity.text())).await?;
    let mut fates = Vec::with_capacity(records.len());
    let partitions: BTreeSet<i32> = records.iter().map(|record| record.partition).collect();
    let mut stands = std::collections::BTreeMap::new();
    for partition in partitions {
        let next = frontier::read(consumer.home(), consumer.name(), entity.topic(), partition).await?;
        stands.insert(partition, next);
    }
    let is_reached = |record: &Located| stands[&record.partition].is_some_and(|next| record.offset < next);
    let is_parked = |record: &Located| {
        parked.iter().find(|parked| {
            parked.record.coordinates.partition == record.partition && parked.record.coordinates.offset == record.offset
        })
    };
    let stood = |record: &&Located| is_reached(record) && record.order.is_some() && is_parked(record).is_none();
    let newest = records.iter().rfind(stood);
    for record in records {
        fates.push(match (is_parked(record), newest) {
            (Some(parked), _) => {
                Fate::Parked { id: parked.id, cause: parked.cause.clone(), detail: parked.detail.clone() }
            }
            (None, _) if !is_reached(record) => Fate::NotReached { position: stands[&record.partition] },
            (None, _) if record.operation == "tombstone" => Fate::Tombstone,
            (None, Some(newest)) if newest.at != record.at => Fate::Superseded { by: newest.at.clone() },
            (None, _) => Fate::Applied,
        });
    }
    Ok(Made { consumer: consumer.name().to_owned(), fates, held: consumer.held(entity).await? })
}
