//! The changes of a partition that wait to be applied, folded: many changes of an entity become one write.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};

use crate::change::{Change, Effect, EntityKey};
use crate::frontier::Fingerprint;
use crate::parking::Cause;
use crate::record::Record;
use schemas::Position;

/// A record that parks instead of being applied.
#[derive(Debug, Clone)]
pub struct Poison {
    /// The record, with its bytes.
    pub record: Record,
    /// Its entity, where the key could be decoded.
    pub entity: Option<EntityKey>,
    /// Why.
    pub cause: Cause,
    /// What was said.
    pub detail: String,
}

/// What was read of a contiguous range of a partition, and is not applied.
#[derive(Debug)]
pub struct Fold<R> {
    /// The last change of each entity.
    pub changes: Changes<R>,
    /// What cannot be applied, in the partition's order.
    pub poison: Vec<Poison>,
    /// The entities of what cannot be applied.
    set_aside: HashSet<EntityKey>,
    /// Offset of the first record in the range.
    pub first_offset: i64,
    /// The offset after the last record in the range, and that record's fingerprint.
    pub end: Option<(i64, Fingerprint)>,
    /// How many records were read.
    pub records: u64,
    /// How many changes an entity's newer change made unnecessary.
    pub folded: u64,
    /// How many tombstones were read; they say nothing that their delete has not said.
    pub tombstones: u64,
    /// About how much memory the fold holds.
    pub bytes: usize,
    /// The timestamp of the last record, milliseconds since 1970.
    pub last_record_ms: i64,
}

impl<R> Default for Fold<R> {
    fn default() -> Self {
        Self {
            changes: Changes::default(),
            poison: Vec::new(),
            set_aside: HashSet::new(),
            first_offset: 0,
            end: None,
            records: 0,
            folded: 0,
            tombstones: 0,
            bytes: 0,
            last_record_ms: 0,
        }
    }
}

/// What an entity costs in a fold apart from its row: key, slot, coordinates, position, and what the allocator adds.
const ENTITY_BYTES: usize = 256;

/// The last change of each entity.
///
/// Each change lies in a box of its own and the set holds nothing but the boxes: growing it moves pointers and not rows,
/// and a change's memory is free for the next fold as soon as the change is applied.
#[derive(Debug)]
pub struct Changes<R>(HashSet<ByEntity<R>>);

/// A change, found by its entity.
#[derive(Debug)]
struct ByEntity<R>(Box<Change<R>>);

impl<R> PartialEq for ByEntity<R> {
    fn eq(&self, other: &Self) -> bool {
        self.0.entity == other.0.entity
    }
}

impl<R> Eq for ByEntity<R> {}

impl<R> Hash for ByEntity<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.entity.hash(state);
    }
}

impl<R> Borrow<EntityKey> for ByEntity<R> {
    fn borrow(&self) -> &EntityKey {
        &self.0.entity
    }
}

impl<R> Default for Changes<R> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<R> Changes<R> {
    /// How many entities were changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The change of an entity.
    #[must_use]
    pub fn get(&self, entity: &EntityKey) -> Option<&Change<R>> {
        self.0.get(entity).map(|found| &*found.0)
    }

    /// Every change, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Change<R>> {
        self.0.iter().map(|found| &*found.0)
    }

    /// Every change, ordered by entity, so that two workers lock rows in the same order.
    #[must_use]
    pub fn into_ordered(self) -> Vec<Box<Change<R>>> {
        let mut changes: Vec<_> = self.0.into_iter().map(|found| found.0).collect();
        changes.sort_unstable_by(|a, b| a.entity.cmp(&b.entity));
        changes
    }
}

/// Completes a newer row by an older one, which is at this position.
pub type Inherit<R> = fn(&mut R, R, Position);

impl<R> Fold<R> {
    /// True when nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end.is_none()
    }

    /// Notes that the record at `offset` was read, whatever became of it.
    pub fn advance(&mut self, offset: i64, timestamp_ms: i64, fingerprint: Fingerprint) {
        if self.end.is_none() {
            self.first_offset = offset;
        }
        self.end = Some((offset + 1, fingerprint));
        self.records += 1;
        self.last_record_ms = timestamp_ms;
    }

    /// Folds a change in. `inherit` completes a newer row by an older one; `bytes` is about what the row takes.
    ///
    /// The newer position wins, not the later record: a topic may hold old events after new ones. An older one may carry
    /// what the newer one does not.
    pub fn push(&mut self, mut change: Change<R>, bytes: usize, inherit: Inherit<R>) {
        let Some(ByEntity(mut kept)) = self.changes.0.take(&change.entity) else {
            self.changes.0.insert(ByEntity(Box::new(change)));
            self.bytes += bytes + ENTITY_BYTES;
            return;
        };
        self.folded += 1;
        let is_newer = change.position >= kept.position;
        if is_newer {
            std::mem::swap(&mut *kept, &mut change);
        }
        let at = change.position;
        if let (Effect::Upsert { row, update }, Effect::Upsert { row: earlier, update: was_update }) =
            (&mut kept.effect, change.effect)
        {
            inherit(row, earlier, at);
            *update &= was_update || !is_newer;
        }
        self.changes.0.insert(ByEntity(kept));
    }

    /// Sets a record aside to be parked.
    pub fn set_aside(&mut self, poison: Poison) {
        self.bytes += poison.record.value.as_ref().map_or(0, bytes::Bytes::len) + ENTITY_BYTES;
        self.set_aside.extend(poison.entity.clone());
        self.poison.push(poison);
    }

    /// True when a change of this entity was set aside, so that later ones must follow it.
    #[must_use]
    pub fn is_set_aside(&self, entity: &EntityKey) -> bool {
        !self.set_aside.is_empty() && self.set_aside.contains(entity)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::change::Coordinates;
    use proptest::prelude::*;
    use schemas::Field;

    type TestRow = (Field<String>, i64);

    fn inherit(row: &mut TestRow, earlier: TestRow, at: Position) {
        row.0.inherit(earlier.0, at);
    }

    fn change(key: &str, lsn: u64, effect: Effect<TestRow>) -> Change<TestRow> {
        let topic: std::sync::Arc<str> = "s.public.t".into();
        Change {
            entity: EntityKey::new(topic.clone(), key),
            coordinates: Coordinates { topic, partition: 0, offset: 0 },
            position: Position { epoch: 0, commit_lsn: lsn, lsn },
            committed_ms: 0,
            effect,
        }
    }

    fn upsert(text: Field<&str>, number: i64) -> Effect<TestRow> {
        Effect::Upsert { row: (text.map(str::to_owned), number), update: true }
    }

    fn fold_of(changes: impl IntoIterator<Item = Change<TestRow>>) -> Fold<TestRow> {
        let mut fold = Fold::default();
        for change in changes {
            fold.push(change, 10, inherit);
        }
        fold
    }

    #[test]
    fn the_last_change_of_an_entity_is_kept() {
        let fold = fold_of([
            change("1", 1, upsert(Field::Value("a"), 1)),
            change("2", 2, upsert(Field::Value("b"), 2)),
            change("1", 3, upsert(Field::Value("c"), 3)),
        ]);
        assert_eq!(fold.changes.len(), 2);
        assert_eq!(fold.folded, 1);
        let first = fold.changes.iter().find(|c| c.entity.key() == "1").unwrap();
        assert_eq!(first.effect, upsert(Field::Value("c"), 3));
    }

    #[test]
    fn an_unchanged_field_inherits_the_earlier_value() {
        let fold =
            fold_of([change("1", 1, upsert(Field::Value("long"), 1)), change("1", 2, upsert(Field::Unchanged, 2))]);
        let earlier = Field::of_earlier("long", Position { epoch: 0, commit_lsn: 1, lsn: 1 });
        assert_eq!(fold.changes.iter().next().unwrap().effect, upsert(earlier, 2));
    }

    #[test]
    fn an_old_event_after_a_new_one_changes_nothing() {
        let fold =
            fold_of([change("1", 9, upsert(Field::Value("new"), 9)), change("1", 3, upsert(Field::Value("old"), 3))]);
        assert_eq!(fold.changes.iter().next().unwrap().effect, upsert(Field::Value("new"), 9));
    }

    #[test]
    fn a_row_created_again_inherits_nothing_from_the_deleted_one() {
        let fold = fold_of([
            change("1", 1, upsert(Field::Value("first"), 1)),
            change("1", 2, Effect::Delete),
            change("1", 3, upsert(Field::Unchanged, 3)),
        ]);
        assert_eq!(fold.changes.iter().next().unwrap().effect, upsert(Field::Unchanged, 3));
    }

    proptest! {
        /// In whatever order changes of a row arrive that may lack a column, the column has the newest value that any of
        /// them carries.
        #[test]
        fn a_column_has_the_newest_value_that_was_carried(changes in proptest::collection::btree_map(0..50u64, any::<bool>(), 1..12).prop_map(|all| all.into_iter().collect::<Vec<_>>()).prop_shuffle()) {
            let fold = fold_of(changes.iter().map(|&(lsn, is_carried)| {
                let text = if is_carried { Field::Value(lsn.to_string()) } else { Field::Unchanged };
                change("1", lsn, Effect::Upsert { row: (text, 0), update: true })
            }));
            let newest = changes.iter().filter(|(_, is_carried)| *is_carried).map(|(lsn, _)| lsn.to_string()).max_by_key(|lsn| lsn.parse::<u64>().unwrap());
            let folded = fold.changes.iter().next().unwrap();
            let Effect::Upsert { row: (text, _), .. } = &folded.effect else { panic!("nothing was deleted") };
            prop_assert_eq!(text.value(), newest.as_ref());
            prop_assert_eq!(text.is_carried(), newest.is_some_and(|lsn| lsn == folded.position.lsn.to_string()));
        }

        /// Whatever arrives, the fold holds for each entity the change with the greatest position, as a model that
        /// applies them one by one under the guard would.
        #[test]
        fn a_fold_ends_where_applying_one_by_one_does(changes in proptest::collection::vec((0..4u8, 0..50u64, proptest::option::of(0..100i64)), 0..60)) {
            let mut model: HashMap<String, (u64, Option<i64>)> = HashMap::new();
            let mut fold = Fold::default();
            for (key, lsn, value) in changes {
                let key = key.to_string();
                let effect = value.map_or(Effect::Delete, |n| upsert(Field::Value("x"), n));
                fold.push(change(&key, lsn, effect), 1, inherit);
                let slot = model.entry(key).or_insert((lsn, value));
                if lsn >= slot.0 {
                    *slot = (lsn, value);
                }
            }
            prop_assert_eq!(fold.changes.len(), model.len());
            for change in fold.changes.iter() {
                let (lsn, value) = model[change.entity.key()];
                prop_assert_eq!(change.position.lsn, lsn);
                let got = match &change.effect { Effect::Upsert { row, .. } => Some(row.1), Effect::Delete => None };
                prop_assert_eq!(got, value);
            }
        }
    }
}
