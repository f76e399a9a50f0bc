//! Reading ranges of topics beside the live group: by assignment, without touching its offsets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use runtime::epoch::Epochs;
use runtime::fold::Fold;
use runtime::frontier::Fingerprint;
use runtime::inbox::{Incoming, Reading};
use runtime::parked_keys::ParkedKeys;
use runtime::record::{self, Record};
use runtime::topic::{self, NotAChange};
use runtime::{Consumer, Topic};
use schemas::{Registry, decode, wire};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::range::{PATIENCE, Range};
use crate::selection::Selection;

/// How many records go into a chunk at most: a replay that is killed does as many again.
const CHUNK_RECORDS: u64 = 50_000;
/// About how many bytes of changes go into a chunk at most.
const CHUNK_BYTES: usize = 8 << 20;
/// How long nothing may come from a partition that has more.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a schema is asked for before its records are given up.
const SCHEMA_ATTEMPTS: u32 = 5;

/// Why a range could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The brokers do not answer, or say no.
    #[error("{topic}[{partition}]: the brokers: {error}")]
    Kafka {
        /// The topic.
        topic: String,
        /// The partition's number.
        partition: i32,
        /// What they said.
        error: KafkaError,
    },
    /// Nothing came for long.
    #[error("{topic}[{partition}] is silent at {at}, before its end")]
    Silent {
        /// The topic.
        topic: String,
        /// The partition's number.
        partition: i32,
        /// Where.
        at: i64,
    },
}

/// Gives every record of a range to `visit`, in order, on the calling thread; `visit` answers false to stop.
pub(crate) fn each(
    client: &ClientConfig,
    range: &Range,
    mut visit: impl FnMut(&BorrowedMessage<'_>) -> bool,
) -> Result<(), ReadError> {
    let (topic, partition) = (range.topic.clone(), range.partition);
    let fault = |error| ReadError::Kafka { topic: topic.clone(), partition, error };
    let kafka: BaseConsumer = client.create().map_err(fault)?;
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(&range.topic, range.partition, Offset::Offset(range.from)).map_err(fault)?;
    kafka.assign(&from).map_err(fault)?;
    let (mut next, mut heard) = (range.from, Instant::now());
    while next < range.to {
        match kafka.poll(Duration::from_millis(200)) {
            Some(Ok(message)) if message.offset() >= range.to => return Ok(()),
            Some(Ok(message)) => {
                next = message.offset() + 1;
                if !visit(&message) {
                    return Ok(());
                }
                // only now: whoever visits may have waited for a target, for as long as it took
                heard = Instant::now();
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error @ KafkaError::MessageConsumption(code))) if !is_passing(code) => return Err(fault(error)),
            Some(Err(_)) | None if heard.elapsed() > SILENCE => {
                return Err(ReadError::Silent { topic, partition, at: next });
            }
            Some(Err(_)) | None => {}
        }
    }
    Ok(())
}

/// Whether librdkafka gets over it by itself.
fn is_passing(code: rdkafka::types::RDKafkaErrorCode) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::LeaderNotAvailable
    )
}

/// Changes of a range, up to a place.
pub(crate) struct Chunk<R> {
    /// What was read and chosen.
    pub(crate) fold: Fold<R>,
    /// The first offset that is not in it.
    pub(crate) next: i64,
    /// How many records were read, chosen or not.
    pub(crate) read: u64,
    /// How many were chosen.
    pub(crate) chosen: u64,
}

/// What reading needs beside the range.
pub(crate) struct Reader<C: Consumer> {
    pub(crate) client: ClientConfig,
    pub(crate) registry: Arc<Registry>,
    pub(crate) topics: HashMap<Arc<str>, Arc<Topic<C::Row>>>,
    pub(crate) epochs: Epochs,
    pub(crate) parked: Arc<ParkedKeys>,
    pub(crate) selection: Arc<Selection>,
}

impl<C: Consumer> Reader<C> {
    /// How records of a partition become changes; none when the consumer does not read the topic.
    pub(crate) fn reading(&self, topic: &str, partition: i32, parked: Arc<ParkedKeys>) -> Option<Reading<C::Row>> {
        Some(Reading {
            topic: self.topics.get(topic)?.clone(),
            partition,
            epochs: self.epochs.of_partition(topic, partition),
            inherit: C::inherit,
            registry: self.registry.clone(),
            parked,
        })
    }

    /// Reads a range chunk by chunk on a thread of its own. The channel holds one chunk: reading waits for applying.
    pub(crate) fn read(&self, range: Range) -> mpsc::Receiver<Result<Chunk<C::Row>, ReadError>> {
        let (sender, chunks) = mpsc::channel(1);
        let Some(reading) = self.reading(&range.topic, range.partition, self.parked.clone()) else { return chunks };
        let chooser = Chooser { selection: self.selection.clone(), handle: Handle::current(), unknown: HashMap::new() };
        let client = self.client.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&client, &range, &reading, chooser, &sender) {
                // nobody listens: the replay was given up
                let _ = sender.blocking_send(Err(error));
            }
        });
        chunks
    }
}

fn read<R: Send + 'static>(
    client: &ClientConfig,
    range: &Range,
    reading: &Reading<R>,
    mut chooser: Chooser,
    sender: &mpsc::Sender<Result<Chunk<R>, ReadError>>,
) -> Result<(), ReadError> {
    let empty = |next| Chunk { fold: Fold::default(), next, read: 0, chosen: 0 };
    let mut chunk = empty(range.from);
    let mut is_wanted = true;
    each(client, range, |message| {
        chooser.take(reading, message, &mut chunk);
        if chunk.read >= CHUNK_RECORDS || chunk.fold.bytes >= CHUNK_BYTES {
            let next = chunk.next;
            is_wanted = sender.blocking_send(Ok(std::mem::replace(&mut chunk, empty(next)))).is_ok();
        }
        is_wanted
    })?;
    // up to its end even where its last offsets are no records
    chunk.next = range.to;
    // as above
    let _ = sender.blocking_send(Ok(chunk));
    Ok(())
}

/// Takes what is chosen, fetching schemas as they are met.
struct Chooser {
    selection: Arc<Selection>,
    handle: Handle,
    /// Schemas that the registry does not have.
    unknown: HashMap<u32, String>,
}

impl Chooser {
    fn take<R: 'static>(&mut self, reading: &Reading<R>, message: &BorrowedMessage<'_>, chunk: &mut Chunk<R>) {
        let (name, own) = (reading.topic.name(), || Record::of(reading.topic.name(), message));
        let record = Incoming {
            offset: message.offset(),
            timestamp_ms: record::timestamp_ms(message),
            key: message.key(),
            value: message.payload(),
            own: &own,
        };
        chunk.read += 1;
        chunk.next = record.offset + 1;
        if !self.chooses(name, &record, &reading.registry) {
            let fingerprint = Fingerprint::of(record.timestamp_ms, record.key, record.value);
            chunk.fold.advance(record.offset, record.timestamp_ms, fingerprint);
            return;
        }
        chunk.chosen += 1;
        while let Err(id) = reading.read(&mut chunk.fold, &record, &self.unknown) {
            self.fetch(id, &reading.registry);
        }
    }

    /// Whether a record is chosen. One that cannot be decoded is, unless entities were named: it is reported.
    fn chooses(&mut self, topic: &Arc<str>, record: &Incoming<'_>, registry: &Registry) -> bool {
        if !self.selection.entities.is_empty() {
            let entity = loop {
                match topic::entity(topic, record.key, registry) {
                    Ok(entity) => break Some(entity),
                    Err(NotAChange::SchemaNeeded(id)) if !self.unknown.contains_key(&id) => self.fetch(id, registry),
                    Err(_) => break None,
                }
            };
            if !entity.is_some_and(|entity| self.selection.accepts_entity(&entity)) {
                return false;
            }
        }
        if self.selection.filters.is_empty() {
            return true;
        }
        let Some((id, datum)) = record.value.and_then(|value| wire::split(value).ok()) else { return false };
        if registry.known(id).is_none() && !self.unknown.contains_key(&id) {
            self.fetch(id, registry);
        }
        let envelope = registry.known(id).and_then(|schema| decode::json(&schema, datum).ok());
        envelope.is_none_or(|envelope| self.selection.accepts_row(&envelope))
    }

    /// Fetches a schema; after a few attempts it counts as unknown and its records are reported.
    fn fetch(&mut self, id: u32, registry: &Registry) {
        let mut attempts = 0;
        while let Err(error) = self.handle.block_on(registry.schema(id)) {
            attempts += 1;
            if attempts >= SCHEMA_ATTEMPTS {
                self.unknown.insert(id, error.to_string());
                return;
            }
            std::thread::sleep(PATIENCE / 20);
        }
    }
}
