//! Making a target's row say what its source holds.
//!
//! Where the target is a function of the source's present state, that is made again ([`mend`]). Else
//! what is missing, stale or different is replayed: the entity's own retained changes, through the consumer's handlers.
//! What is extra is deleted through the same handlers, by a change that says what the source says: that there is no such
//! row. It carries the position of the target's row, so that it passes its guard and nothing newer is overwritten.

use std::collections::BTreeSet;

use runtime::{Batch, Change, Comparison, Consumer, Coordinates, Decision, Effect, EntityKey, Fault, Planned};

use crate::reconcile::keys;
use crate::rerun::RerunError;

/// What was made again from the source's present state.
#[derive(Debug, Default)]
pub struct Mended {
    /// How many rows or documents were written or removed.
    pub count: u64,
    /// Of which entities; what is not here needs its changes.
    pub entities: BTreeSet<String>,
}

/// Makes again what can be made from the source's present state alone.
///
/// # Errors
/// When source or target does not answer.
pub async fn mend(comparisons: &[Box<dyn Comparison>], entities: &BTreeSet<String>) -> Result<Mended, Fault> {
    let mut mended = Mended::default();
    for comparison in comparisons {
        let keys = keys(comparison.as_ref(), entities);
        if let Some(count) = comparison.mend(&keys).await? {
            mended.count += count;
            mended.entities.extend(keys.iter().map(|key| format!("{}/{key}", comparison.topic())));
        }
    }
    Ok(mended)
}

/// Deletes what the source does not have. Answers how many entities were changed.
///
/// # Errors
/// When the target does not answer or refuses.
pub async fn remove<C: Consumer>(consumer: &C, entities: &BTreeSet<String>) -> Result<u64, RerunError> {
    let mut plans = Vec::new();
    for entity in entities {
        let Some(entity) = EntityKey::of_text(entity) else { continue };
        let held = consumer.held(&entity).await?;
        let Some(position) = held.iter().filter_map(|held| held.position).max() else { continue };
        // no record says it: the source does
        let coordinates = Coordinates { topic: entity.topic().into(), partition: -1, offset: -1 };
        let change: Change<C::Row> = Change {
            entity: entity.clone(),
            coordinates: coordinates.clone(),
            position,
            committed_ms: 0,
            effect: Effect::Delete,
        };
        if let Decision::Apply(plan) = consumer.decide(&change) {
            plans.push(Planned { entity, position, coordinates, plan });
        }
    }
    plans.sort_unstable_by(|a, b| a.entity.cmp(&b.entity));
    let count = plans.len() as u64;
    if count > 0 {
        consumer.apply(&Batch { consumer: consumer.name(), plans, mark: None }).await?;
    }
    Ok(count)
}
