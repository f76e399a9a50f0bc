//! The changes of one fold, decided and applied in batches.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::time::Instant;

use platform::metric;

use super::{Lane, Stop, lock};
use crate::backoff::Backoff;
use crate::budget::Share;
use crate::change::{Change, EntityKey};
use crate::consumer::{Batch, Consumer, Decision, Outcome, Planned};
use crate::frontier::Mark;
use crate::verdict::{Fault, Verdict};

/// What became of the changes of one fold.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) outcome: Outcome,
    /// Entities of which a change was refused: looked at record by record afterwards.
    pub(super) refused: HashSet<EntityKey>,
    pub(super) marked: bool,
}

impl Settled {
    fn add(&mut self, other: Self) {
        self.outcome.add(other.outcome);
        self.refused.extend(other.refused);
        self.marked |= other.marked;
    }
}

/// The changes of a fold that are not applied yet, and what they hold of the budget.
struct Pending<R> {
    changes: std::vec::IntoIter<Box<Change<R>>>,
    /// How many batches come before the last.
    leading: usize,
    size: usize,
    share: Share,
    bytes_each: usize,
}

impl<R> Pending<R> {
    fn new(changes: Vec<Box<Change<R>>>, share: Share, size: usize) -> Self {
        let leading = changes.len().saturating_sub(1) / size;
        let bytes_each = share.bytes() / changes.len().max(1);
        Self { changes: changes.into_iter(), leading, size, share, bytes_each }
    }

    /// The next batch, unless only the last is left.
    fn next(&mut self) -> Option<Vec<Box<Change<R>>>> {
        self.leading = self.leading.checked_sub(1)?;
        Some(self.changes.by_ref().take(self.size).collect())
    }

    /// The last batch. Its share is released with the rest.
    fn last(&mut self) -> Vec<Box<Change<R>>> {
        self.changes.by_ref().collect()
    }

    /// Gives back what the applied entities held.
    fn applied(&mut self, entities: usize) {
        self.share.set(self.share.bytes().saturating_sub(entities * self.bytes_each));
    }
}

impl<C: Consumer> Lane<C> {
    /// Applies changes in batches, the mark with the last one if nothing is left over. The batches before the last
    /// change distinct entities, so two are under way at a time: one is made while the target writes the other.
    pub(super) async fn apply(
        &self,
        changes: Vec<Box<Change<C::Row>>>,
        share: Share,
        mark: Option<&Mark>,
        settled: &mut Settled,
    ) -> Result<(), Stop> {
        let pending = Mutex::new(Pending::new(changes, share, self.worker.settings.batch_entities));
        let second = if lock(&pending).leading > 1 { self.worker.hands.try_acquire().ok() } else { None };
        if second.is_some() {
            let (one, two) = tokio::join!(self.apply_leading(&pending), self.apply_leading(&pending));
            settled.add(one?);
            settled.add(two?);
        } else {
            settled.add(self.apply_leading(&pending).await?);
        }
        drop(second);
        let last = lock(&pending).last();
        let plans = self.decide(last, settled);
        self.apply_halving(plans, mark, settled).await
    }

    /// Applies batch after batch until only the last is left.
    async fn apply_leading(&self, pending: &Mutex<Pending<C::Row>>) -> Result<Settled, Stop> {
        let mut settled = Settled::default();
        loop {
            let Some(changes) = lock(pending).next() else { return Ok(settled) };
            let entities = changes.len();
            let plans = self.decide(changes, &mut settled);
            self.apply_halving(plans, None, &mut settled).await?;
            lock(pending).applied(entities);
        }
    }

    /// Decides changes, which are ordered by entity.
    fn decide(&self, changes: Vec<Box<Change<C::Row>>>, settled: &mut Settled) -> Vec<Planned<C::Plan>> {
        let mut plans = Vec::with_capacity(changes.len());
        for change in changes {
            if self.reading.parked.contains(&change.entity) {
                settled.refused.insert(change.entity);
                continue;
            }
            match self.worker.consumer.decide(&change) {
                Decision::Apply(plan) => {
                    let Change { entity, position, coordinates, .. } = *change;
                    plans.push(Planned { entity, position, coordinates, plan });
                }
                Decision::Skip(reason) => settled.outcome.count(reason, change.entity.key()),
                Decision::Park(_) => {
                    settled.refused.insert(change.entity);
                }
            }
        }
        plans
    }

    /// Applies a batch. One that is refused is halved until the refused plan is found, so that one bad record never
    /// parks its neighbours. The mark goes with the last part if nothing is left over.
    async fn apply_halving(
        &self,
        plans: Vec<Planned<C::Plan>>,
        mark: Option<&Mark>,
        settled: &mut Settled,
    ) -> Result<(), Stop> {
        let mut batches = VecDeque::new();
        if !plans.is_empty() {
            batches.push_back(plans);
        }
        while let Some(plans) = batches.pop_front() {
            let mark = mark.filter(|_| batches.is_empty() && settled.refused.is_empty()).cloned();
            let marked = mark.is_some();
            let mut batch = Batch { consumer: self.worker.name(), plans, mark };
            match self.apply_batch(&batch).await? {
                Ok(outcome) => {
                    self.worker.applied_some();
                    settled.outcome.add(outcome);
                    settled.marked |= marked;
                }
                Err(_) if batch.plans.len() > 1 => {
                    let second = batch.plans.split_off(batch.plans.len() / 2);
                    batches.push_front(second);
                    batches.push_front(batch.plans);
                }
                Err(_) => {
                    settled.refused.extend(batch.plans.into_iter().map(|planned| planned.entity));
                }
            }
        }
        Ok(())
    }

    /// Applies one batch, trying again while the fault is transient. The inner error is a refusal.
    pub(super) async fn apply_batch(&self, batch: &Batch<C::Plan>) -> Result<Result<Outcome, Fault>, Stop> {
        let mut backoff = Backoff::default();
        loop {
            let began = Instant::now();
            let fault = match self.worker.consumer.apply(batch).await {
                Ok(outcome) => {
                    metrics::histogram!(metric::CONSUMER_APPLY_SECONDS, "consumer" => batch.consumer)
                        .record(began.elapsed().as_secs_f64());
                    return Ok(Ok(outcome));
                }
                Err(fault) => fault,
            };
            match fault.verdict() {
                Verdict::Park => return Ok(Err(fault)),
                Verdict::Halt => return Err(Stop::Halt(fault.to_string())),
                Verdict::Retry => {
                    let asked = if let Fault::Unavailable { retry_after, .. } = &fault { *retry_after } else { None };
                    self.retry_after(&mut backoff, asked, &fault.to_string(), false).await?;
                }
            }
        }
    }
}
