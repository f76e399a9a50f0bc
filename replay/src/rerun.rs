//! Applying chosen changes again, through the consumer's own handlers and beside its live group.
//!
//! The guard is what makes it safe: an older change never overwrites a newer one, so a replay and the live group may
//! apply changes of one entity in any order. Nothing is parked and no offset or mark is written; what cannot be applied is
//! reported.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use runtime::epoch::Epochs;
use runtime::fold::{Fold, Poison};
use runtime::inbox::Incoming;
use runtime::parked_keys::ParkedKeys;
use runtime::parking::Parked;
use runtime::verdict::Verdict;
use runtime::{Batch, Change, Consumer, Decision, Fault, Outcome, Planned, Surroundings, parking};
use serde::{Deserialize, Serialize};

use crate::brake::Brake;
use crate::range::{self, Range};
use crate::reading::{ReadError, Reader};
use crate::selection::Selection;

/// How many ranges are read at once.
const RANGES: usize = 6;
/// How long a target that is not ready is waited for, between attempts.
const AGAIN: Duration = Duration::from_millis(500);
/// How many attempts a batch has before the replay is given up; it can be resumed.
const ATTEMPTS: u32 = 120;
/// How many of what could not be applied are named.
const NAMED: usize = 20;

/// What a replay does with a consumer.
pub struct Rerun<'r, C: Consumer> {
    pub(crate) consumer: &'r C,
    reader: Reader<C>,
    batch_entities: usize,
}

/// What came of a replay so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Records that were read.
    pub read: u64,
    /// Records that were chosen.
    pub chosen: u64,
    /// Entities, by what became of them: `applied`, `superseded` (the target has a newer change), and the consumer's own
    /// outcomes.
    pub outcomes: HashMap<String, u64>,
    /// Records that were not applied because their entity has parked changes, or because they cannot be read or are
    /// refused.
    pub set_aside: u64,
    /// Some of those, and why.
    pub named: Vec<String>,
}

impl Report {
    fn count(&mut self, outcome: &Outcome) {
        for (name, count) in outcome.iter() {
            *self.outcomes.entry(name.to_owned()).or_default() += count.entities;
        }
    }

    fn set_aside(&mut self, why: String) {
        self.set_aside += 1;
        if self.named.len() < NAMED {
            self.named.push(why);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.read += other.read;
        self.chosen += other.chosen;
        for (name, count) in other.outcomes {
            *self.outcomes.entry(name).or_default() += count;
        }
        self.set_aside += other.set_aside;
        self.named.extend(other.named);
        self.named.truncate(NAMED);
    }
}

/// Why a replay stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// A range could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The target's fault is nobody's content: nothing was skipped.
    #[error("the target: {0}")]
    Target(#[from] Fault),
    /// The control database does not answer.
    #[error("the control database: {0}")]
    Database(#[from] sqlx::Error),
    /// What was done could not be noted.
    #[error("the replay's own record cannot be written: {0}")]
    Journal(#[source] sqlx::Error),
    /// More was chosen than a dry run holds at once.
    #[error("more than {0} MB of changes were chosen: narrow the selection, or dry run it in parts")]
    TooMuch(usize),
}

/// A place that a range has reached, and what came of it since the place before.
pub(crate) struct Reached {
    pub(crate) range: usize,
    pub(crate) next: i64,
    pub(crate) report: Report,
}

impl<'r, C: Consumer> Rerun<'r, C> {
    /// What is needed to read and apply a selection again.
    ///
    /// # Errors
    /// When the control database does not answer.
    pub async fn new(consumer: &'r C, around: &Surroundings, selection: Selection) -> Result<Self, RerunError> {
        let topics: HashMap<_, _> = consumer.topics().into_iter().map(|t| (t.name().clone(), Arc::new(t))).collect();
        let names: Vec<String> = topics.keys().map(ToString::to_string).collect();
        let parked = ParkedKeys::default();
        parked.finish_refresh(parking::entities(&around.control, consumer.name()).await?);
        let reader = Reader {
            client: range::client(&around.settings),
            registry: around.registry.clone(),
            topics,
            epochs: Epochs::read(&around.control, &names).await?,
            parked: Arc::new(parked),
            selection: Arc::new(selection),
        };
        Ok(Self { consumer, reader, batch_entities: around.settings.batch_entities })
    }

    /// Applies ranges to their end, as fast as the target takes them, without a record of how far it is.
    ///
    /// # Errors
    /// When it stops before its end.
    pub async fn through(&self, ranges: &[Range]) -> Result<Report, RerunError> {
        let mut report = Report::default();
        let adding = async |reached: Reached| {
            report.add(reached.report);
            Ok(())
        };
        self.apply(ranges, &Brake::new(None), adding).await?;
        Ok(report)
    }

    /// Applies ranges, each in order and several at once, and tells every place that is reached.
    pub(crate) async fn apply(
        &self,
        ranges: &[Range],
        brake: &Brake,
        mut reached: impl AsyncFnMut(Reached) -> Result<(), RerunError>,
    ) -> Result<(), RerunError> {
        let (sender, mut places) = tokio::sync::mpsc::channel(RANGES);
        let applying = async {
            let mut waiting = ranges.iter().enumerate();
            let mut running = FuturesUnordered::new();
            loop {
                while running.len() < RANGES {
                    let Some((number, range)) = waiting.next() else { break };
                    running.push(self.apply_range(number, range, brake, sender.clone()));
                }
                let Some(ended) = running.next().await else { break };
                ended?;
            }
            drop(sender);
            Ok::<_, RerunError>(())
        };
        let telling = async {
            while let Some(place) = places.recv().await {
                reached(place).await?;
            }
            Ok(())
        };
        tokio::try_join!(applying, telling).map(drop)
    }

    async fn apply_range(
        &self,
        number: usize,
        range: &Range,
        brake: &Brake,
        places: tokio::sync::mpsc::Sender<Reached>,
    ) -> Result<(), RerunError> {
        let mut chunks = self.reader.read(range.clone());
        while let Some(chunk) = chunks.recv().await {
            let chunk = chunk?;
            brake.pass(chunk.chosen).await;
            let mut report = Report { read: chunk.read, chosen: chunk.chosen, ..Report::default() };
            self.settle(chunk.fold, &mut report).await?;
            // nobody listens when the other side failed, which ends this side too
            let _ = places.send(Reached { range: number, next: chunk.next, report }).await;
        }
        Ok(())
    }

    async fn settle(&self, mut fold: Fold<C::Row>, report: &mut Report) -> Result<(), RerunError> {
        report_poison(&fold.poison, report);
        let mut changes = std::mem::take(&mut fold.changes).into_ordered().into_iter();
        loop {
            let some: Vec<_> = changes.by_ref().take(self.batch_entities).collect();
            if some.is_empty() {
                return Ok(());
            }
            let plans = self.decide(&some, report);
            self.apply_halving(plans, report).await?;
        }
    }

    fn decide(&self, changes: &[Box<Change<C::Row>>], report: &mut Report) -> Vec<Planned<C::Plan>> {
        let mut plans = Vec::with_capacity(changes.len());
        for change in changes {
            match self.consumer.decide(change) {
                Decision::Apply(plan) => plans.push(Planned {
                    entity: change.entity.clone(),
                    position: change.position,
                    coordinates: change.coordinates.clone(),
                    plan,
                }),
                Decision::Skip(reason) => *report.outcomes.entry(reason.to_owned()).or_default() += 1,
                Decision::Park(reason) => report.set_aside(format!("{}: {reason}", change.entity)),
            }
        }
        plans
    }

    /// Applies plans; halves them until what is refused stands alone.
    async fn apply_halving(&self, plans: Vec<Planned<C::Plan>>, report: &mut Report) -> Result<(), RerunError> {
        let mut waiting = vec![plans];
        while let Some(plans) = waiting.pop() {
            if plans.is_empty() {
                continue;
            }
            let mut batch = Batch { consumer: self.consumer.name(), plans, mark: None };
            match self.insist(&batch).await {
                Ok(outcome) => report.count(&outcome),
                Err(fault) if fault.verdict() == Verdict::Park && batch.plans.len() > 1 => {
                    let rest = batch.plans.split_off(batch.plans.len() / 2);
                    waiting.push(rest);
                    waiting.push(batch.plans);
                }
                Err(fault) if fault.verdict() == Verdict::Park => {
                    let entity = batch.plans.first().map_or_else(String::new, |planned| planned.entity.text());
                    report.set_aside(format!("{entity}: {fault}"));
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(())
    }

    /// Applies, and waits for a target that is not ready.
    async fn insist(&self, batch: &Batch<C::Plan>) -> Result<Outcome, Fault> {
        let mut attempts = 0;
        loop {
            match self.consumer.apply(batch).await {
                Err(fault) if fault.verdict() == Verdict::Retry && attempts < ATTEMPTS => {
                    attempts += 1;
                    tracing::warn!(consumer = self.consumer.name(), %fault, attempts, "trying again: {fault}");
                    tokio::time::sleep(AGAIN).await;
                }
                done => return done,
            }
        }
    }

    /// Reads ranges to their end without applying them: the last change of each entity.
    pub(crate) async fn gather(
        &self,
        ranges: &[Range],
        bytes: usize,
    ) -> Result<(Gathered<C::Row>, Report), RerunError> {
        let (mut gathered, mut report) = (Fold::default(), Report::default());
        for range in ranges {
            let mut chunks = self.reader.read(range.clone());
            while let Some(chunk) = chunks.recv().await {
                let mut chunk = chunk?;
                report.add(Report { read: chunk.read, chosen: chunk.chosen, ..Report::default() });
                report_poison(&chunk.fold.poison, &mut report);
                let each = chunk.fold.bytes / chunk.fold.changes.len().max(1);
                for change in std::mem::take(&mut chunk.fold.changes).into_ordered() {
                    gathered.push(*change, each, C::inherit);
                }
                if gathered.bytes > bytes {
                    return Err(RerunError::TooMuch(bytes >> 20));
                }
            }
        }
        Ok((std::mem::take(&mut gathered.changes).into_ordered(), report))
    }

    /// The last change of each entity among records that are parked, as they are read now.
    pub(crate) async fn gather_parked(&self, parked: &[Parked]) -> (Gathered<C::Row>, Report) {
        let (mut fold, mut report, mut unknown) = (Fold::default(), Report::default(), HashMap::new());
        for Parked { record, .. } in parked {
            report.add(Report { read: 1, chosen: 1, ..Report::default() });
            let at = &record.coordinates;
            let Some(reading) = self.reader.reading(&at.topic, at.partition, Arc::default()) else {
                report.set_aside(format!("{at}: {} reads no such topic", self.consumer.name()));
                continue;
            };
            let own = || record.clone();
            while let Err(id) = reading.read(&mut fold, &Incoming::of(record, &own), &unknown) {
                if let Err(error) = self.reader.registry.schema(id).await {
                    unknown.insert(id, error.to_string());
                }
            }
        }
        report_poison(&fold.poison, &mut report);
        (std::mem::take(&mut fold.changes).into_ordered(), report)
    }

    /// The plans of gathered changes.
    pub(crate) fn plans(&self, changes: &[Box<Change<C::Row>>], report: &mut Report) -> Vec<Planned<C::Plan>> {
        self.decide(changes, report)
    }
}

/// Changes of distinct entities, ordered by entity.
pub(crate) type Gathered<R> = Vec<Box<Change<R>>>;

fn report_poison(poison: &[Poison], report: &mut Report) {
    for Poison { record, detail, .. } in poison {
        report.set_aside(format!("{}: {detail}", record.coordinates));
    }
}
