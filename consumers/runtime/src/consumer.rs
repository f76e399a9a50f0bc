//! What a consumer is: the topics it reads, a pure decision, a thin effect.

use std::collections::BTreeMap;
use std::future::Future;

use crate::change::{Change, Coordinates, EntityKey};
use crate::comparison::Comparison;
use crate::frontier::Mark;
use crate::held::Held;
use crate::preview::Preview;
use crate::topic::Topic;
use crate::verdict::Fault;
use schemas::position::Position;

/// A consumer. `README.md` of its folder answers: reads, writes, key, order needed, idempotent because, parked when,
/// safe to replay.
pub trait Consumer: Send + Sync + 'static {
    /// The rows it reads; an enum where it reads several topics.
    type Row: Send + Sync + 'static;
    /// What it wants of its target for one entity.
    type Plan: Send + Sync + 'static;

    /// The consumer's one name: crate, Kafka group id, subcommand argument, metric label.
    fn name(&self) -> &'static str;

    /// The topics it reads.
    fn topics(&self) -> Vec<Topic<Self::Row>>;

    /// Completes a newer row by an older one of the same entity, which is at `at`: fields that the newer change does not
    /// carry.
    fn inherit(row: &mut Self::Row, earlier: Self::Row, at: Position);

    /// The database with the `cdc` schema that remembers how far this consumer is: its target, or `backbone` where the
    /// target is not a Postgres database.
    fn home(&self) -> &sqlx::PgPool;

    /// Decides what a change means. Pure: no clock, no I/O, so that dry run, replay and trace give the same answer.
    fn decide(&self, change: &Change<Self::Row>) -> Decision<Self::Plan>;

    /// Makes the target look as planned, in one transaction where the target has them, each entity guarded by its
    /// position. Must be idempotent. Where the target is a Postgres database, the same transaction writes
    /// [`Batch::mark`].
    fn apply(&self, batch: &Batch<Self::Plan>) -> impl Future<Output = Result<Outcome, Fault>> + Send;

    /// What [`Consumer::apply`] would change now; changes nothing. For a Postgres target, [`crate::preview::Trial`] does
    /// it. The batch has no mark.
    fn preview(&self, batch: &Batch<Self::Plan>) -> impl Future<Output = Result<Preview, Fault>> + Send {
        let _ = batch;
        std::future::ready(Err(Fault::Unknown(anyhow::anyhow!("{} cannot say what it would change", self.name()))))
    }

    /// What the target holds of an entity, for people.
    fn held(&self, entity: &EntityKey) -> impl Future<Output = Result<Vec<Held>, Fault>> + Send {
        let _ = entity;
        std::future::ready(Ok(Vec::new()))
    }

    /// What of its source the target must show, and how both are asked: what `sluice reconcile` compares. `source` answers
    /// the database of a service, for reading. Nothing where the target is no copy of a source.
    ///
    /// # Errors
    /// When a source's database is not configured.
    fn comparisons(&self, source: &Sources<'_>) -> anyhow::Result<Vec<Box<dyn Comparison>>> {
        let _ = source;
        Ok(Vec::new())
    }
}

/// The database of a service, by the service's name, for reading.
pub type Sources<'s> = dyn Fn(&str) -> anyhow::Result<sqlx::PgPool> + 's;

/// The answer of [`Consumer::decide`].
#[derive(Debug, Clone, PartialEq)]
pub enum Decision<P> {
    /// The target is to look like this.
    Apply(P),
    /// Nothing to do, and why; counted under this reason.
    Skip(&'static str),
    /// This change can never be applied, and why: it is parked.
    Park(String),
}

/// One entity's plan, with what the guard and the log need.
#[derive(Debug)]
pub struct Planned<P> {
    /// Which entity.
    pub entity: EntityKey,
    /// The position that the target will remember.
    pub position: Position,
    /// Where the record lies.
    pub coordinates: Coordinates,
    /// What is wanted.
    pub plan: P,
}

/// Plans of distinct entities, ordered by entity key so that two workers lock rows in the same order.
#[derive(Debug)]
pub struct Batch<P> {
    /// The consumer's name.
    pub consumer: &'static str,
    /// At most one plan per entity.
    pub plans: Vec<Planned<P>>,
    /// How far the partition is applied once this batch is; `None` in all but the last batch of a fold.
    pub mark: Option<Mark>,
}

/// What became of a batch. Counts go to metrics, samples to the one log line of the batch.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    counts: BTreeMap<&'static str, Count>,
}

/// How often something happened, and the first few entities it happened to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Count {
    /// How many entities.
    pub entities: u64,
    /// Up to [`Outcome::SAMPLES`] of their keys.
    pub samples: Vec<String>,
}

impl Outcome {
    /// How many sample keys are kept per outcome.
    pub const SAMPLES: usize = 3;
    /// The target was written.
    pub const APPLIED: &'static str = "applied";
    /// The target already holds a newer change; nothing was written.
    pub const SUPERSEDED: &'static str = "superseded";

    /// Counts one entity under `outcome`.
    pub fn count(&mut self, outcome: &'static str, entity: &str) {
        let count = self.counts.entry(outcome).or_default();
        count.entities += 1;
        if count.samples.len() < Self::SAMPLES {
            count.samples.push(entity.to_owned());
        }
    }

    /// Counts many entities whose keys do not matter.
    pub fn count_many(&mut self, outcome: &'static str, entities: u64) {
        if entities > 0 {
            self.counts.entry(outcome).or_default().entities += entities;
        }
    }

    /// Adds another batch's counts.
    pub fn add(&mut self, other: Self) {
        for (outcome, theirs) in other.counts {
            let ours = self.counts.entry(outcome).or_default();
            ours.entities += theirs.entities;
            ours.samples.extend(theirs.samples);
            ours.samples.truncate(Self::SAMPLES);
        }
    }

    /// Every outcome with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Count)> {
        self.counts.iter().map(|(outcome, count)| (*outcome, count))
    }

    /// How many entities had this outcome.
    #[must_use]
    pub fn entities(&self, outcome: &'static str) -> u64 {
        self.counts.get(outcome).map_or(0, |count| count.entities)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_keeps_its_counts_and_a_few_samples() {
        let mut outcome = Outcome::default();
        for id in 0..10 {
            outcome.count(Outcome::APPLIED, &id.to_string());
        }
        let mut other = Outcome::default();
        other.count(Outcome::APPLIED, "x");
        other.count_many(Outcome::SUPERSEDED, 2);
        outcome.add(other);
        assert_eq!(outcome.entities(Outcome::APPLIED), 11);
        assert_eq!(outcome.entities(Outcome::SUPERSEDED), 2);
        let (_, count) = outcome.iter().next().unwrap();
        assert_eq!(count.samples, ["0", "1", "2"]);
    }
}
