//! From what was received to what is applied: decide, apply in batches, retry, find the one record that is refused.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use platform::metric;
use schemas::RegistryError;

use super::batch::Settled;
use super::{Lane, Pause, State, Stop, lock};
use crate::backoff::Backoff;
use crate::budget::Share;
use crate::change::EntityKey;
use crate::consumer::{Consumer, Outcome};
use crate::fold::{Fold, Poison};
use crate::frontier::{self, Mark};
use crate::inbox::Incoming;
use crate::parking::{self, Cause};
use crate::record::Record;
use crate::verdict::{Fault, Verdict};

/// How often the registry may say that a schema is not there before its records are parked.
const SCHEMA_ATTEMPTS: u32 = 5;
/// About how many latencies of a fold are recorded: behind a backlog they all say the same.
const SAMPLES: usize = 1_000;

/// What is to be applied next.
enum Work<R> {
    Fold(Fold<R>, Share),
    Queue(VecDeque<Record>),
    Nothing,
}

impl<C: Consumer> Lane<C> {
    /// Applies everything that was received.
    pub(super) async fn work(self: &Arc<Self>) -> Result<(), Stop> {
        loop {
            if self.is_closing() {
                return Err(Stop::Closing);
            }
            self.obey().await?;
            self.linger().await?;
            match self.take() {
                Work::Fold(fold, share) => {
                    self.pass_turn(&fold);
                    self.unpause(Pause::FULL);
                    self.settle(fold, share).await?;
                }
                Work::Queue(queue) => {
                    self.unpause(Pause::FULL);
                    let fold = self.read_queue(queue).await?;
                    let share = Share::of(self.worker.budget.clone());
                    self.settle(fold, share).await?;
                }
                Work::Nothing => {
                    // what made it full may have been taken before it was paused for it
                    self.unpause(Pause::FULL);
                    return Ok(());
                }
            }
        }
    }

    /// What was folded comes before what was queued.
    fn take(&self) -> Work<C::Row> {
        let mut inbox = lock(&self.inbox);
        if !inbox.fold.is_empty() {
            let (fold, share) = inbox.take_fold();
            return Work::Fold(fold, share);
        }
        if inbox.queuing && !inbox.stop_queuing() {
            return Work::Queue(inbox.take_queue());
        }
        Work::Nothing
    }

    /// Reads queued records into a fold, fetching the schemas that they need first.
    async fn read_queue(&self, queue: VecDeque<Record>) -> Result<Fold<C::Row>, Stop> {
        let mut fold = Fold::default();
        let mut unknown = HashMap::new();
        for record in queue {
            self.read_one(&mut fold, &record, &mut unknown).await?;
        }
        Ok(fold)
    }

    /// Reads one record into a fold, fetching the schemas that it needs first.
    pub(super) async fn read_one(
        &self,
        fold: &mut Fold<C::Row>,
        record: &Record,
        unknown: &mut HashMap<u32, String>,
    ) -> Result<(), Stop> {
        let own = || record.clone();
        while let Err(id) = self.reading.read(fold, &Incoming::of(record, &own), unknown) {
            self.fetch_schema(id, unknown).await?;
        }
        Ok(())
    }

    pub(super) async fn fetch_schema(&self, id: u32, unknown: &mut HashMap<u32, String>) -> Result<(), Stop> {
        let mut backoff = Backoff::default();
        loop {
            let Err(error) = self.worker.registry.schema(id).await else { return Ok(()) };
            if !error.is_transient() && backoff.attempts() >= SCHEMA_ATTEMPTS {
                unknown.insert(id, error.to_string());
                return Ok(());
            }
            let lost = matches!(error, RegistryError::NotFound { .. });
            self.retry_after(&mut backoff, None, &format!("schema {id}: {error}"), lost).await?;
        }
    }

    /// Says that something is tried again, and waits.
    pub(super) async fn retry_after(
        &self,
        backoff: &mut Backoff,
        asked: Option<Duration>,
        reason: &str,
        quiet: bool,
    ) -> Result<(), Stop> {
        let wait = backoff.next(asked);
        let (consumer, topic, partition) = (self.worker.name(), &*self.topic, self.partition);
        metrics::counter!(metric::CONSUMER_RETRIES, "consumer" => consumer).increment(1);
        if !quiet && backoff.attempts() % 10 == 1 {
            let wait_ms = wait.as_millis();
            tracing::warn!(
                consumer,
                topic,
                partition,
                reason,
                wait_ms,
                attempt = backoff.attempts(),
                "trying again: {reason}"
            );
        }
        self.set_state(State::Retrying(reason.to_owned()));
        self.sleep(wait).await
    }

    /// Applies a fold: its changes, then its poison to parking, then what was refused record by record, then the mark.
    async fn settle(self: &Arc<Self>, mut fold: Fold<C::Row>, share: Share) -> Result<(), Stop> {
        let Some((next_offset, fingerprint)) = fold.end else { return Ok(()) };
        let began = Instant::now();
        let mark = Mark { topic: self.topic.clone(), partition: self.partition, next_offset, fingerprint };
        let entities = fold.changes.len();
        let sampled = fold.changes.iter().step_by(entities / SAMPLES + 1);
        let committed_ms: Vec<i64> = sampled.map(|change| change.committed_ms).collect();
        let poison = std::mem::take(&mut fold.poison);
        let (poison, released) = self.without_released(poison);
        let may_mark = poison.is_empty();
        let mut settled = Settled { refused: released, ..Settled::default() };
        let changes = std::mem::take(&mut fold.changes).into_ordered();
        self.apply(changes, share, may_mark.then_some(&mark), &mut settled).await?;
        for poison in &poison {
            self.park(poison).await?;
        }
        if !settled.refused.is_empty() {
            let refused = std::mem::take(&mut settled.refused);
            self.salvage(fold.first_offset, next_offset, &refused, &mut settled).await?;
        }
        if !settled.marked {
            self.write_mark(&mark).await?;
        }
        *lock(&self.applied) = Some(mark);
        self.applied_ms.store(fold.last_record_ms, Ordering::Relaxed);
        // what waited for something says nothing of how fast the partition is
        if !matches!(*lock(&self.state), State::Retrying(_)) {
            lock(&self.pace).note(fold.records, began.elapsed());
        }
        self.set_state(State::Running);
        self.report(&fold, entities, poison.len(), &committed_ms, &settled.outcome, began);
        Ok(())
    }

    /// What must park, and the entities whose changes were set aside behind parked ones that an operator has released
    /// since: those are read again.
    fn without_released(&self, poison: Vec<Poison>) -> (Vec<Poison>, HashSet<EntityKey>) {
        let first = |poison: &Poison| poison.cause != Cause::Follows;
        let stuck: HashSet<EntityKey> =
            poison.iter().filter(|poison| first(poison)).filter_map(|poison| poison.entity.clone()).collect();
        let mut released = HashSet::new();
        let kept = poison.into_iter().filter(|poison| match &poison.entity {
            Some(entity) if !stuck.contains(entity) && !self.reading.parked.contains(entity) => {
                released.insert(entity.clone());
                false
            }
            _ => true,
        });
        (kept.collect(), released)
    }

    /// Parks a record in `backbone`, waiting for it while it is down: a change is parked before its offset is committed.
    pub(super) async fn park(&self, poison: &Poison) -> Result<(), Stop> {
        let Poison { record, entity, cause, detail } = poison;
        // before it is written: what arrives meanwhile must follow it
        let first = entity.as_ref().filter(|entity| self.reading.parked.insert(entity));
        if let Err(stop) = self.write_parked(poison).await {
            // it was not parked, and is read again: nothing follows it
            if let Some(entity) = first {
                self.reading.parked.remove(entity);
            }
            return Err(stop);
        }
        let consumer = self.worker.name();
        metrics::counter!(metric::CONSUMER_PARKED, "consumer" => consumer, "cause" => cause.name()).increment(1);
        if !matches!(cause, Cause::Follows | Cause::Skipped) && self.worker.parked_one() {
            return Err(Stop::Halt(format!(
                "more than {} records were parked and none applied; the last is {}: {detail}",
                self.worker.settings.park_limit, record.coordinates
            )));
        }
        Ok(())
    }

    async fn write_parked(&self, poison: &Poison) -> Result<(), Stop> {
        let Poison { record, entity, cause, detail } = poison;
        let (consumer, mut backoff) = (self.worker.name(), Backoff::default());
        while let Err(error) =
            parking::park(&self.worker.control, consumer, record, entity.as_ref(), *cause, detail).await
        {
            let fault = Fault::from(error);
            if fault.verdict() != Verdict::Retry {
                return Err(Stop::Halt(format!("cannot park {}: {fault}", record.coordinates)));
            }
            self.retry_after(&mut backoff, None, &format!("the control database: {fault}"), false).await?;
        }
        Ok(())
    }

    /// Writes a mark that no batch carried: nothing was to be applied, or something was parked.
    pub(super) async fn write_mark(&self, mark: &Mark) -> Result<(), Stop> {
        let mut backoff = Backoff::default();
        while let Err(error) = frontier::write(self.worker.consumer.home(), self.worker.name(), mark).await {
            let fault = Fault::from(error);
            if fault.verdict() != Verdict::Retry {
                return Err(Stop::Halt(format!("cannot write cdc.frontier: {fault}")));
            }
            self.retry_after(&mut backoff, None, &fault.to_string(), false).await?;
        }
        Ok(())
    }

    /// Counts, and the one log line of the fold.
    fn report(
        &self,
        fold: &Fold<C::Row>,
        entities: usize,
        parked: usize,
        committed_ms: &[i64],
        outcome: &Outcome,
        began: Instant,
    ) {
        let (consumer, topic) = (self.worker.name(), self.topic.to_string());
        metrics::counter!(metric::CONSUMER_RECORDS, "consumer" => consumer, "topic" => topic).increment(fold.records);
        #[expect(clippy::cast_precision_loss, reason = "a histogram of counts far below 2^53")]
        metrics::histogram!(metric::CONSUMER_BATCH_RECORDS, "consumer" => consumer).record(fold.records as f64);
        let latency = metrics::histogram!(metric::CONSUMER_COMMIT_TO_EFFECT_SECONDS, "consumer" => consumer);
        let now = self.worker.clock.now_ms();
        for committed in committed_ms {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of latency stay far below 2^53")]
            latency.record((now - committed).max(0) as f64 / 1000.0);
        }
        let mut shown = String::new();
        for (name, count) in outcome.iter() {
            metrics::counter!(metric::CONSUMER_OUTCOMES, "consumer" => consumer, "outcome" => name)
                .increment(count.entities);
            // writing into a String cannot fail
            let _ = write!(shown, " {name}={}[{}]", count.entities, count.samples.join(","));
        }
        tracing::info!(
            consumer,
            topic = &*self.topic,
            partition = self.partition,
            offset = fold.first_offset,
            records = fold.records,
            entities,
            folded = fold.folded,
            tombstones = fold.tombstones,
            parked,
            ms = began.elapsed().as_millis(),
            "batch:{shown}"
        );
    }
}
