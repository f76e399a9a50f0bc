//! Released: what was parked is applied.

use std::collections::HashMap;
use std::sync::Arc;

use schemas::position::Position;

use super::order::{Refusal, refused};
use super::{Lane, Stop};
use crate::change::{Change, EntityKey};
use crate::consumer::{Batch, Consumer, Decision, Planned};
use crate::parking::{self, Parked};
use crate::record::Record;
use crate::topic::{self, NotAChange};

/// A parked record's change; none of a tombstone. The error says why it cannot be read.
type Read<C> = Result<Option<Change<<C as Consumer>::Row>>, String>;

impl<C: Consumer> Lane<C> {
    /// Applies what is parked of an entity, each with a transaction of its own, in the order of the source: where the entity's
    /// key moved to another partition, that is not the order in which it was parked. Stops at the first that is refused again.
    pub(super) async fn release(self: &Arc<Self>, entity: Option<String>, id: Option<i64>) -> Result<String, Refusal> {
        let (control, name) = (&self.worker.control, self.worker.name());
        let mut released = 0_u64;
        loop {
            let parked = match (&entity, id) {
                (Some(entity), None) => parking::list(control, name, Some(entity)).await?,
                (None, Some(id)) => parking::find(control, name, id).await?.into_iter().collect(),
                _ => return Err(refused("a release names an entity, or the id of a record without one".to_owned())),
            };
            if parked.is_empty() {
                if let Some(entity) = entity.as_deref().and_then(EntityKey::of_text) {
                    self.reading.parked.remove(&entity);
                }
                return Ok(format!("released {released}"));
            }
            for (parked, read) in self.in_order(parked).await? {
                if let Err(why) = self.release_one(read).await? {
                    parking::note_attempt(control, parked.id, &why).await?;
                    return Err(refused(format!(
                        "released {released}, then {} was refused: {why}",
                        parked.record.coordinates
                    )));
                }
                parking::remove(control, parked.id).await?;
                released += 1;
            }
        }
    }

    /// Releases one entity after the other. What is refused again stays, and keeps nothing of others from going on.
    pub(super) async fn release_all(self: &Arc<Self>, cause: Option<&str>) -> Result<String, Refusal> {
        let (control, name) = (&self.worker.control, self.worker.name());
        let (mut released, mut refusals) = (0_u64, Vec::new());
        for (entity, id) in parking::newest_at(control, name, &self.topic, self.partition, cause).await? {
            let id = entity.is_none().then_some(id);
            match self.release(entity, id).await {
                Ok(_) => released += 1,
                Err(Refusal::Refused(why)) => refusals.push(why),
                Err(stop) => return Err(stop),
            }
        }
        match refusals.first() {
            None => Ok(format!("released {released} entities")),
            Some(why) => Err(refused(format!(
                "released {released} entities; {} were refused again and stay parked, the first because: {why}",
                refusals.len()
            ))),
        }
    }

    /// Parked records with their changes, as the source made them; what is no change stays behind the one that it was parked after.
    /// An inner error says why a record cannot be read.
    async fn in_order(&self, parked: Vec<Parked>) -> Result<Vec<(Parked, Read<C>)>, Stop> {
        let (mut ordered, mut position) = (Vec::with_capacity(parked.len()), Position::default());
        for parked in parked {
            let read = self.read(&parked.record).await?;
            if let Ok(Some(change)) = &read {
                position = change.position;
            }
            ordered.push((position, parked, read));
        }
        ordered.sort_by_key(|(position, ..)| *position);
        Ok(ordered.into_iter().map(|(_, parked, read)| (parked, read)).collect())
    }

    /// The change of a parked record; none of a tombstone.
    async fn read(&self, record: &Record) -> Result<Read<C>, Stop> {
        let Some(value) = &record.value else { return Ok(Ok(None)) };
        if record.coordinates.topic != self.topic {
            return Ok(Err(format!("it is of topic {}, not of {}", record.coordinates.topic, self.topic)));
        }
        let Some(entity) = self.entity_of(record).await? else {
            return Ok(Err("its key cannot be decoded".to_owned()));
        };
        Ok(self.change_of(entity, record, value).await?.map(Some).map_err(|why| why.to_string()))
    }

    /// Applies the change of a parked record; the inner error says why it is refused.
    async fn release_one(&self, read: Read<C>) -> Result<Result<(), String>, Stop> {
        let change = match read {
            Ok(Some(change)) => change,
            Ok(None) => return Ok(Ok(())),
            Err(why) => return Ok(Err(why)),
        };
        let plan = match self.worker.consumer.decide(&change) {
            Decision::Skip(_) => return Ok(Ok(())),
            Decision::Park(why) => return Ok(Err(why)),
            Decision::Apply(plan) => plan,
        };
        let Change { entity, position, coordinates, .. } = change;
        let plans = vec![Planned { entity, position, coordinates, plan }];
        let applied = self.apply_batch(&Batch { consumer: self.worker.name(), plans, mark: None }).await?;
        Ok(applied.map(drop).map_err(|fault| fault.to_string()))
    }

    async fn change_of(
        &self,
        entity: EntityKey,
        record: &Record,
        value: &[u8],
    ) -> Result<Result<Change<C::Row>, NotAChange>, Stop> {
        let coordinates = &record.coordinates;
        let epoch = {
            let epochs = self.worker.epochs.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            epochs.of_partition(&coordinates.topic, coordinates.partition).at(coordinates.offset)
        };
        let mut unknown = HashMap::new();
        loop {
            let (topic, registry) = (&self.reading.topic, &self.worker.registry);
            match topic::change(topic, entity.clone(), coordinates.clone(), value, epoch, registry) {
                Err(NotAChange::SchemaNeeded(id)) if !unknown.contains_key(&id) => {
                    self.fetch_schema(id, &mut unknown).await?;
                }
                other => return Ok(other),
            }
        }
    }
}
