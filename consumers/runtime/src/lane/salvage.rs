//! A second look at a range of which something was refused. A fold holds no bytes, so the range is read again; records of
//! entities that were applied are passed over, those of refused ones are applied one by one until one is refused by
//! itself. That one is parked with its bytes, and the later ones of its entity follow it, in order.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::batch::Settled;
use super::{Lane, Pause, Stop, lock};
use crate::change::EntityKey;
use crate::consumer::{Batch, Consumer, Decision, Planned};
use crate::fold::{Fold, Poison};
use crate::inbox::Phase;
use crate::parking::Cause;
use crate::record::Record;

impl<C: Consumer> Lane<C> {
    /// Reads `first..end` again and settles the records of `refused` one by one. Records from `end` on stay queued.
    pub(super) async fn salvage(
        self: &Arc<Self>,
        first: i64,
        end: i64,
        refused: &HashSet<EntityKey>,
        settled: &mut Settled,
    ) -> Result<(), Stop> {
        let (consumer, topic, partition) = (self.worker.name(), &*self.topic, self.partition);
        tracing::warn!(
            consumer,
            topic,
            partition,
            first,
            end,
            entities = refused.len(),
            "something of {topic}[{partition}] {first}..{end} was refused; reading it again record by record"
        );
        self.forgo_turn();
        self.move_to(first, Phase::Open, true).await?;
        loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return Err(Stop::Closing),
                () = self.wake.notified() => {}
            }
            let mut queue = lock(&self.inbox).take_queue();
            self.unpause(Pause::FULL);
            while let Some(record) = queue.pop_front() {
                let offset = record.coordinates.offset;
                if offset < end {
                    self.settle_one(record, refused, settled).await?;
                } else {
                    queue.push_front(record);
                }
                if offset >= end - 1 {
                    self.put_back(queue);
                    return Ok(());
                }
            }
        }
    }

    /// Records beyond the range go on as they would have.
    fn put_back(&self, mut queue: VecDeque<Record>) {
        let mut inbox = lock(&self.inbox);
        queue.append(&mut inbox.take_queue());
        inbox.queue = queue;
        drop(inbox);
        self.wake.notify_one();
    }

    async fn settle_one(
        &self,
        record: Record,
        refused: &HashSet<EntityKey>,
        settled: &mut Settled,
    ) -> Result<(), Stop> {
        let mut fold = Fold::default();
        self.read_one(&mut fold, &record, &mut HashMap::new()).await?;
        for poison in std::mem::take(&mut fold.poison) {
            // What was poison in the first reading is parked by it already; a follower of a refused one is not.
            if poison.cause == Cause::Follows {
                self.park(&poison).await?;
            }
        }
        for change in std::mem::take(&mut fold.changes).into_ordered() {
            if !refused.contains(&change.entity) {
                continue;
            }
            let detail = match self.worker.consumer.decide(&change) {
                Decision::Skip(_) => continue,
                Decision::Park(reason) => reason,
                Decision::Apply(plan) => {
                    let entity = change.entity.clone();
                    let (position, coordinates) = (change.position, change.coordinates.clone());
                    let plans = vec![Planned { entity, position, coordinates, plan }];
                    match self.apply_batch(&Batch { consumer: self.worker.name(), plans, mark: None }).await? {
                        Ok(outcome) => {
                            settled.outcome.add(outcome);
                            continue;
                        }
                        Err(fault) => fault.to_string(),
                    }
                }
            };
            let entity = Some(change.entity);
            self.park(&Poison { record: record.clone(), entity, cause: Cause::Refused, detail }).await?;
        }
        Ok(())
    }
}
