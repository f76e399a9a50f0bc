//! What a partition has received and not yet applied. Pure bookkeeping: no Kafka, no clock, no waiting.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use schemas::registry::Registry;

use crate::budget::{Budget, Share};
use crate::change::{Coordinates, EntityKey};
use crate::epoch::PartitionEpochs;
use crate::fold::{Fold, Inherit, Poison};
use crate::frontier::Fingerprint;
use crate::parked_keys::ParkedKeys;
use crate::parking::Cause;
use crate::record::Record;
use crate::topic::{self, NotAChange, Topic};

/// What is done with a record that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is taken: where to start is being found out, or the partition is being moved to another offset.
    Closed,
    /// The record before the committed offset is awaited, to see that the topic is the one that was committed.
    Verifying {
        /// Its offset.
        offset: i64,
        /// What it looked like when it was committed.
        fingerprint: Fingerprint,
    },
    /// Records are folded.
    Open,
}

/// What the caller is to do after a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Nothing.
    Taken,
    /// The partition holds enough: pause it until it was applied.
    Full,
    /// The record was not wanted in this phase.
    Ignored,
    /// The record before the committed offset is another one: the topic was deleted and made again.
    AnotherIncarnation,
    /// The record lies before the one that is awaited: the client lost a move, or went back by itself. It is to be moved
    /// to what is awaited; nothing that was received is forgotten.
    Early,
    /// It was taken, and records between the place that the partition was moved to and this one were not there.
    AfterGap {
        /// The place.
        from: i64,
    },
}

/// A record as librdkafka lends it.
pub struct Incoming<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes.
    pub value: Option<&'a [u8]>,
    /// Copies it, headers included.
    pub own: &'a (dyn Fn() -> Record + Sync),
}

impl<'a> Incoming<'a> {
    /// Lends a record that was copied before; `own` must copy the same record.
    #[must_use]
    pub fn of(record: &'a Record, own: &'a (dyn Fn() -> Record + Sync)) -> Self {
        Self {
            offset: record.coordinates.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            own,
        }
    }
}

/// How records of one partition become changes.
pub struct Reading<R> {
    /// The topic.
    pub topic: Arc<Topic<R>>,
    /// The partition's number.
    pub partition: i32,
    /// The partition's epochs.
    pub epochs: PartitionEpochs,
    /// Completes a newer row by an older one.
    pub inherit: Inherit<R>,
    /// Schemas by id.
    pub registry: Arc<Registry>,
    /// Entities whose changes must park.
    pub parked: Arc<ParkedKeys>,
}

impl<R: 'static> Reading<R> {
    /// Reads a record into a fold. The error is the id of a schema that must be fetched first; nothing was changed then.
    /// Schemas in `unknown` are given up: their records are set aside.
    pub fn read(&self, fold: &mut Fold<R>, record: &Incoming<'_>, unknown: &HashMap<u32, String>) -> Result<(), u32> {
        let entity = match topic::entity(self.topic.name(), record.key, &self.registry) {
            Ok(entity) => Some(entity),
            Err(NotAChange::SchemaNeeded(id)) => {
                let Some(reason) = unknown.get(&id) else { return Err(id) };
                set_aside(fold, record, None, Cause::UnknownSchema, reason.clone());
                None
            }
            Err(fault) => {
                set_aside(fold, record, None, Cause::Undecodable, fault.to_string());
                None
            }
        };
        if let Some(entity) = entity {
            self.read_value(fold, record, entity, unknown)?;
        }
        let fingerprint = Fingerprint::of(record.timestamp_ms, record.key, record.value);
        fold.advance(record.offset, record.timestamp_ms, fingerprint);
        Ok(())
    }

    fn read_value(
        &self,
        fold: &mut Fold<R>,
        record: &Incoming<'_>,
        entity: EntityKey,
        unknown: &HashMap<u32, String>,
    ) -> Result<(), u32> {
        let Some(value) = record.value else {
            fold.tombstones += 1;
            return Ok(());
        };
        if fold.is_set_aside(&entity) || self.parked.contains(&entity) {
            let detail = "an earlier change of this entity is parked".to_owned();
            set_aside(fold, record, Some(entity), Cause::Follows, detail);
            return Ok(());
        }
        let epoch = self.epochs.at(record.offset);
        let coordinates = self.coordinates(record.offset);
        match topic::change(&self.topic, entity.clone(), coordinates, value, epoch, &self.registry) {
            Ok(change) => fold.push(change, value.len(), self.inherit),
            Err(NotAChange::SchemaNeeded(id)) => {
                let Some(reason) = unknown.get(&id) else { return Err(id) };
                set_aside(fold, record, Some(entity), Cause::UnknownSchema, reason.clone());
            }
            Err(fault) => set_aside(fold, record, Some(entity), Cause::Undecodable, fault.to_string()),
        }
        Ok(())
    }

    fn coordinates(&self, offset: i64) -> Coordinates {
        Coordinates { topic: self.topic.name().clone(), partition: self.partition, offset }
    }
}

fn set_aside<R>(fold: &mut Fold<R>, record: &Incoming<'_>, entity: Option<EntityKey>, cause: Cause, detail: String) {
    fold.set_aside(Poison { record: (record.own)(), entity, cause, detail });
}

/// What a partition has received and not yet applied.
pub struct Inbox<R> {
    /// What is done with the next record.
    pub phase: Phase,
    /// The place that the partition was moved to, until its first record has come.
    place: Option<i64>,
    /// The offset that is awaited: the place, then the one after the last record that was taken.
    next: Option<i64>,
    /// What was folded.
    pub fold: Fold<R>,
    /// Records that wait as they are, because a schema must be fetched first or because they are looked at one by one.
    pub queue: VecDeque<Record>,
    /// Whether records are queued rather than folded.
    pub queuing: bool,
    queue_bytes: usize,
    share: Share,
}

/// What was queued is worth about this much at most: what waits for a schema or for a closer look is not worth fetching
/// much more of.
const QUEUE_BYTES: usize = 1 << 20;
/// From this much on a partition is paused when the budget is spent.
const WEIGHTY_BYTES: usize = 256 << 10;

impl<R: 'static> Inbox<R> {
    /// An empty inbox that is closed, and full when the budget is spent.
    #[must_use]
    pub fn new(budget: Arc<Budget>) -> Self {
        Self {
            phase: Phase::Closed,
            place: None,
            next: None,
            fold: Fold::default(),
            queue: VecDeque::new(),
            queuing: false,
            queue_bytes: 0,
            share: Share::of(budget),
        }
    }

    /// Takes a record.
    pub fn receive(&mut self, reading: &Reading<R>, record: &Incoming<'_>) -> Received {
        if self.phase == Phase::Closed {
            return Received::Ignored;
        }
        if self.next.is_some_and(|next| record.offset < next) {
            return Received::Early;
        }
        self.next = Some(record.offset + 1);
        let Some(place) = self.place.take() else { return self.take(reading, record) };
        // the record that is verified may be gone itself without anything being passed over
        let next = if matches!(self.phase, Phase::Verifying { .. }) { place + 1 } else { place };
        match self.take(reading, record) {
            Received::Taken if record.offset > next => Received::AfterGap { from: next },
            received => received,
        }
    }

    fn take(&mut self, reading: &Reading<R>, record: &Incoming<'_>) -> Received {
        match self.phase {
            Phase::Closed => return Received::Ignored,
            Phase::Verifying { offset, fingerprint } => {
                if record.offset == offset {
                    if fingerprint != Fingerprint::of(record.timestamp_ms, record.key, record.value) {
                        return Received::AnotherIncarnation;
                    }
                    self.phase = Phase::Open;
                    return Received::Taken;
                }
                // The record before is gone by retention or compaction, and there is nothing left to compare.
                self.phase = Phase::Open;
            }
            Phase::Open => {}
        }
        if !self.queuing && reading.read(&mut self.fold, record, &HashMap::new()).is_err() {
            self.queuing = true;
        }
        if self.queuing {
            let record = (record.own)();
            self.queue_bytes += record.value.as_ref().map_or(0, bytes::Bytes::len) + 256;
            self.queue.push_back(record);
            return if self.queue_bytes > QUEUE_BYTES { Received::Full } else { Received::Taken };
        }
        if self.fold.bytes != self.share.bytes() {
            self.share.set(self.fold.bytes);
        }
        // a partition that holds next to nothing is applied before it matters
        let weighs = self.share.bytes() > WEIGHTY_BYTES;
        if weighs && self.share.budget().is_spent() { Received::Full } else { Received::Taken }
    }

    /// The offset that is awaited; none while it is closed.
    #[must_use]
    pub fn awaits(&self) -> Option<i64> {
        self.next
    }

    /// Takes out what was folded, with its share of the budget.
    pub fn take_fold(&mut self) -> (Fold<R>, Share) {
        (std::mem::take(&mut self.fold), self.share.take())
    }

    /// Takes out the queued records; queueing goes on until [`Inbox::stop_queuing`].
    pub fn take_queue(&mut self) -> VecDeque<Record> {
        self.queue_bytes = 0;
        std::mem::take(&mut self.queue)
    }

    /// Goes back to folding if nothing was queued in the meantime.
    pub fn stop_queuing(&mut self) -> bool {
        if self.queue.is_empty() {
            self.queuing = false;
        }
        !self.queuing
    }

    /// Forgets everything received; nothing is taken until the partition is placed.
    pub fn close(&mut self) {
        let budget = self.share.budget().clone();
        *self = Self::new(budget);
    }

    /// The partition was moved to `place`: forgets everything received.
    pub fn open(&mut self, place: i64, phase: Phase, queuing: bool) {
        let budget = self.share.budget().clone();
        *self = Self { phase, place: Some(place), next: Some(place), queuing, ..Self::new(budget) };
    }
}
