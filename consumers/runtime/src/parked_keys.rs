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
    all: HashSet<String>,
    /// Inserted since the last refresh began: the control database may not have known them when it was read.
    recent: HashSet<String>,
}

impl ParkedKeys {
    /// True when later changes of this entity must park too.
    pub fn contains(&self, entity: &EntityKey) -> bool {
        self.any.load(Ordering::Acquire)
            && self.keys.read().unwrap_or_else(PoisonError::into_inner).all.contains(&entity.text())
    }

    /// Notes that a change of this entity is being parked.
    pub fn insert(&self, entity: &EntityKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.all.insert(entity.text());
        keys.recent.insert(entity.text());
        self.any.store(true, Ordering::Release);
    }

    /// Notes that nothing of this entity is parked any more.
    pub fn remove(&self, entity: &str) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.all.remove(entity);
        keys.recent.remove(entity);
        self.any.store(!keys.all.is_empty(), Ordering::Release);
    }

    /// Announces that the control database is about to be read.
    pub fn begin_refresh(&self) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).recent.clear();
    }

    /// Takes over what the control database said, and keeps what was inserted since [`ParkedKeys::begin_refresh`].
    pub fn finish_refresh(&self, mut entities: HashSet<String>) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
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
        keys.finish_refresh(HashSet::from(["t/old".to_owned()]));
        assert!(keys.contains(&entity("new")) && keys.contains(&entity("old")));
        assert!(!keys.contains(&entity("released")));
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
