//! Which entities of a consumer have parked changes, in memory: asked once per record, so it costs nothing while empty.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::change::EntityKey;

/// The set, shared by all partitions of a worker: keys move between partitions when partitions are added.
#[derive(Debug, Default)]
pub struct ParkedKeys {
    any: AtomicBool,
    keys: RwLock<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    all: HashSet<EntityKey>,
    /// Inserted since the last refresh began: the control database may not have known them when it was read.
    recent: HashSet<EntityKey>,
    /// Removed since then: it may still have known them.
    gone: HashSet<EntityKey>,
}

impl ParkedKeys {
    /// True when later changes of this entity must park too.
    pub fn contains(&self, entity: &EntityKey) -> bool {
        self.any.load(Ordering::Acquire)
            && self.keys.read().unwrap_or_else(PoisonError::into_inner).all.contains(entity)
    }

    /// Notes that a change of this entity is being parked. True when none was before.
    pub fn insert(&self, entity: &EntityKey) -> bool {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let is_first = keys.all.insert(entity.clone());
        keys.recent.insert(entity.clone());
        keys.gone.remove(entity);
        self.any.store(true, Ordering::Release);
        is_first
    }

    /// Notes that nothing of this entity is parked any more.
    pub fn remove(&self, entity: &EntityKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.all.remove(entity);
        keys.recent.remove(entity);
        keys.gone.insert(entity.clone());
        self.any.store(!keys.all.is_empty(), Ordering::Release);
    }

    /// Announces that the control database is about to be read.
    pub fn begin_refresh(&self) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.recent.clear();
        keys.gone.clear();
    }

    /// Takes over what the control database said, but for what was inserted and removed since [`ParkedKeys::begin_refresh`].
    pub fn finish_refresh(&self, mut entities: HashSet<EntityKey>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        entities.retain(|entity| !keys.gone.contains(entity));
        entities.extend(keys.recent.iter().cloned());
        self.any.store(!entities.is_empty(), Ordering::Release);
        keys.all = entities;
    }

    /// How many entities have parked changes.
    pub fn len(&self) -> usize {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).all.len()
    }

    /// True when none has.
    pub fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entity(key: &str) -> EntityKey {
        EntityKey::new("t".into(), key)
    }

    #[test]
    fn a_key_parked_while_the_database_is_read_is_not_forgotten() {
        let keys = ParkedKeys::default();
        keys.insert(&entity("released"));
        keys.begin_refresh();
        keys.insert(&entity("new"));
        keys.finish_refresh(HashSet::from([entity("old")]));
        assert!(keys.contains(&entity("new")) && keys.contains(&entity("old")));
        assert!(!keys.contains(&entity("released")));
    }

    /// What happens to a worker's parked entities, one step at a time.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Park(u8),
        Release(u8),
        /// Another worker's.
        ParkElsewhere(u8),
        ReleaseElsewhere(u8),
        /// The refresh goes one step on: it begins, reads the database, takes over what it read.
        Refresh,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..3u8).prop_map(Step::Park),
            (0..3u8).prop_map(Step::Release),
            (3..5u8).prop_map(Step::ParkElsewhere),
            (3..5u8).prop_map(Step::ReleaseElsewhere),
            Just(Step::Refresh),
            Just(Step::Refresh),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        /// The database is the truth: of this worker's own entities memory never differs from it, whatever a refresh read
        /// and however late; of others it does until the next whole refresh.
        #[test]
        fn memory_is_what_the_database_holds_through_any_interleaving(steps in steps()) {
            let keys = ParkedKeys::default();
            let mut database: HashSet<EntityKey> = HashSet::new();
            // none; begun; read
            let mut refresh: Option<Option<HashSet<EntityKey>>> = None;
            let numbered = |number: u8| entity(&number.to_string());
            for step in steps {
                match step {
                    Step::Park(number) => {
                        keys.insert(&numbered(number));
                        database.insert(numbered(number));
                    }
                    Step::Release(number) => {
                        if database.remove(&numbered(number)) {
                            keys.remove(&numbered(number));
                        }
                    }
                    Step::ParkElsewhere(number) => drop(database.insert(numbered(number))),
                    Step::ReleaseElsewhere(number) => drop(database.remove(&numbered(number))),
                    Step::Refresh => {
                        refresh = match refresh {
                            None => {
                                keys.begin_refresh();
                                Some(None)
                            }
                            Some(None) => Some(Some(database.clone())),
                            Some(Some(read)) => {
                                keys.finish_refresh(read);
                                None
                            }
                        };
                    }
                }
                for number in 0..3 {
                    let is_parked = database.contains(&numbered(number));
                    prop_assert_eq!(keys.contains(&numbered(number)), is_parked, "{} after {:?}", number, step);
                }
            }
            keys.begin_refresh();
            keys.finish_refresh(database.clone());
            prop_assert_eq!(keys.len(), database.len());
            prop_assert_eq!(keys.is_empty(), database.is_empty());
        }
    }

    #[test]
    fn an_empty_set_says_so() {
        let keys = ParkedKeys::default();
        assert!(keys.is_empty() && !keys.contains(&entity("1")));
        keys.insert(&entity("1"));
        assert!(!keys.is_empty());
        keys.begin_refresh();
        keys.finish_refresh(HashSet::new());
        assert!(keys.is_empty());
    }
}
