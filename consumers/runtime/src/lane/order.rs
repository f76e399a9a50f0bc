//! What an operator orders of a partition: its own task carries it out, between two folds or while the partition is
//! halted, so that nothing of the partition is under way meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{Lane, Pause, Stop, lock};
use crate::change::EntityKey;
use crate::consumer::Consumer;
use crate::fold::Poison;
use crate::frontier::{Fingerprint, Mark};
use crate::inbox::Phase;
use crate::parking::Cause;
use crate::record::Record;
use crate::topic::{self, NotAChange};
use crate::verdict::{Fault, Verdict};

/// How long the record that is to be skipped may take to arrive.
const FETCH_PATIENCE: Duration = Duration::from_secs(30);

/// What is ordered. Its JSON is `command.verb` as `verb` and `command.arguments` beside it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Order {
    /// Apply again.
    Rewind {
        /// The offset of the first record that is applied again; the first that is retained when there is none.
        to: Option<i64>,
    },
    /// Park the record that the partition stands at, unseen.
    Skip {
        /// Its offset; another than the partition stands at is refused.
        offset: i64,
    },
    /// Apply what is parked of an entity, in order.
    Release {
        /// The entity's text form.
        entity: Option<String>,
        /// `parked_change.id` of a record whose key could not be decoded, and which is of no entity therefore.
        id: Option<i64>,
        /// Everything of which this partition holds the newest.
        #[serde(default)]
        all: bool,
        /// With `all`: only entities of which something was parked for this cause.
        cause: Option<String>,
    },
}

/// An order and who waits for its outcome.
pub(crate) struct Ordered {
    pub(crate) order: Order,
    /// Why, in the operator's words.
    pub(crate) reason: String,
    /// Told the outcome; dropped when the partition was revoked first.
    pub(crate) done: oneshot::Sender<String>,
}

/// The outcome of an order that cannot be carried out begins so.
const REFUSED: &str = "refused: ";

impl<C: Consumer> Lane<C> {
    /// Takes an order; its outcome comes through `done`.
    pub(crate) fn order(&self, ordered: Ordered) {
        lock(&self.orders).push_back(ordered);
        self.ordered.notify_one();
        self.wake.notify_one();
    }

    /// Carries out what was ordered. [`Stop::Relocate`] when the partition is to begin somewhere else.
    pub(super) async fn obey(self: &Arc<Self>) -> Result<(), Stop> {
        loop {
            let Some(Ordered { order, reason, done }) = lock(&self.orders).pop_front() else { return Ok(()) };
            let carried_out = match order.clone() {
                Order::Rewind { to } => self.rewind(to).await,
                Order::Skip { offset } => self.skip(offset, &reason).await,
                Order::Release { all: true, cause, .. } => {
                    self.release_all(cause.as_deref()).await.map(|outcome| (outcome, false))
                }
                Order::Release { entity, id, .. } => self.release(entity, id).await.map(|outcome| (outcome, false)),
            };
            let (outcome, moved) = match carried_out {
                Ok(carried_out) => carried_out,
                Err(Refusal::Stop(stop)) => return Err(stop),
                Err(Refusal::Refused(why)) => (format!("{REFUSED}{why}"), false),
            };
            let (consumer, topic, partition) = (self.worker.name(), &*self.topic, self.partition);
            tracing::info!(consumer, topic, partition, ?order, outcome, "an order was carried out: {outcome}");
            // who ordered it may have gone
            let _ = done.send(outcome);
            if moved {
                return Err(Stop::Relocate);
            }
        }
    }

    /// Goes back. The guard makes what was applied since harmless to apply again.
    async fn rewind(self: &Arc<Self>, to: Option<i64>) -> Result<(String, bool), Refusal> {
        let (committed, first, end) = self.stands().await?;
        let to = to.unwrap_or(first);
        if to < first {
            return Err(refused(format!("{to} is not retained; the first retained record is at {first}")));
        }
        // records that retention took cannot be read again, and going on after them is what is left
        let furthest = committed.map_or(end, |committed| committed.max(first));
        if to > furthest {
            return Err(refused(format!(
                "{to} lies after {furthest}, which is not applied: a rewind goes back; skip passes one record"
            )));
        }
        if to == first {
            // whatever the target lacks before it is gone from the topic: it is not to be waited for again
            let (topic, fingerprint) = (self.topic.clone(), Fingerprint::of(0, None, None));
            self.write_mark(&Mark { topic, partition: self.partition, next_offset: to, fingerprint }).await?;
        }
        self.commit_now(to, String::new()).await?;
        Ok((format!("rewound to {to}, {} records before {furthest}", furthest - to), true))
    }

    /// Parks the record that the partition stands at.
    async fn skip(self: &Arc<Self>, offset: i64, reason: &str) -> Result<(String, bool), Refusal> {
        let (committed, _, end) = self.stands().await?;
        let next = if self.next_offset() < 0 { committed.unwrap_or(-1) } else { self.next_offset() };
        if offset != next {
            return Err(refused(format!("the partition stands at {next}, not at {offset}")));
        }
        if offset >= end {
            return Err(refused(format!("there is no record at {offset} yet; the end is {end}")));
        }
        let Some(record) = self.fetch(offset).await? else {
            return Err(refused(format!("the record at {offset} could not be read")));
        };
        let entity = self.entity_of(&record).await?;
        let mark = Mark {
            topic: self.topic.clone(),
            partition: self.partition,
            next_offset: offset + 1,
            fingerprint: record.fingerprint(),
        };
        let detail = format!("skipped by an operator: {reason}");
        let fingerprint = mark.fingerprint;
        self.park(&Poison { record, entity, cause: Cause::Skipped, detail }).await?;
        self.write_mark(&mark).await?;
        self.commit_now(offset + 1, fingerprint.to_string()).await?;
        Ok((format!("skipped the record at {offset}; it is parked"), true))
    }

    /// Reads one record, whether the partition is paused or not.
    async fn fetch(self: &Arc<Self>, offset: i64) -> Result<Option<Record>, Refusal> {
        let lifted = self.lift_pauses();
        self.move_to(offset, Phase::Open, true).await?;
        let deadline = tokio::time::Instant::now() + FETCH_PATIENCE;
        let found = loop {
            if let Some(record) = lock(&self.inbox).take_queue().pop_front() {
                break Some(record).filter(|record| record.coordinates.offset == offset);
            }
            tokio::select! {
                () = self.closing.cancelled() => return Err(Stop::Closing.into()),
                () = self.wake.notified() => {}
                () = tokio::time::sleep_until(deadline) => break None,
            }
        };
        self.pause(lifted);
        Ok(found)
    }

    /// Takes back every pause but that of a place to be found, and answers what it took back.
    fn lift_pauses(&self) -> Pause {
        let lifted = Pause(*lock(&self.pauses) & !Pause::PLACE.0);
        self.unpause(lifted);
        lifted
    }

    /// The entity of a record, where its key can be decoded.
    pub(super) async fn entity_of(&self, record: &Record) -> Result<Option<EntityKey>, Stop> {
        let mut unknown = HashMap::new();
        loop {
            match topic::entity(self.reading.topic.name(), record.key.as_deref(), &self.worker.registry) {
                Ok(entity) => return Ok(Some(entity)),
                Err(NotAChange::SchemaNeeded(id)) if !unknown.contains_key(&id) => {
                    self.fetch_schema(id, &mut unknown).await?;
                }
                Err(_) => return Ok(None),
            }
        }
    }

    /// The group's committed offset, the first retained one and the end, as the broker has them.
    async fn stands(self: &Arc<Self>) -> Result<(Option<i64>, i64, i64), Refusal> {
        let lane = self.clone();
        let asked = tokio::task::spawn_blocking(move || lane.ask_broker()).await;
        let (committed, first, end) =
            asked.map_err(|error| error.to_string()).and_then(|asked| asked).map_err(refused)?;
        Ok((committed.map(|(offset, _)| offset), first, end))
    }

    /// Commits an offset at once, and forgets what was applied: the partition begins there.
    async fn commit_now(self: &Arc<Self>, offset: i64, metadata: String) -> Result<(), Refusal> {
        let lane = self.clone();
        let committed = tokio::task::spawn_blocking(move || {
            // no commit of what was applied before may come after this one
            let _alone = lock(&lane.worker.committing);
            *lock(&lane.applied) = None;
            let kafka = lane.worker.kafka().ok_or("the client is closing".to_owned())?;
            let mut offsets = TopicPartitionList::new();
            let mut element = offsets.add_partition(&lane.topic, lane.partition);
            element.set_offset(Offset::Offset(offset)).map_err(|error| error.to_string())?;
            element.set_metadata(metadata);
            kafka.commit(&offsets, CommitMode::Sync).map_err(|error| format!("the commit was refused: {error}"))
        });
        committed.await.map_err(|error| error.to_string()).and_then(|committed| committed).map_err(refused)?;
        self.committed.store(offset, Ordering::Relaxed);
        Ok(())
    }
}

/// Why an order was not carried out.
pub(super) enum Refusal {
    /// It cannot be, and why.
    Refused(String),
    /// The partition is revoked, or halts.
    Stop(Stop),
}

pub(super) fn refused(why: String) -> Refusal {
    Refusal::Refused(why)
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        let fault = Fault::from(error);
        let again = if fault.verdict() == Verdict::Retry { "; try again" } else { "" };
        Self::Refused(format!("the control database: {fault}{again}"))
    }
}
