//! One committed change of one entity, as a consumer sees it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use schemas::position::Position;

/// Where a record lies in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Coordinates {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// The record's offset in its partition.
    pub offset: i64,
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}

/// Which entity a change is about: the topic and the decoded key, never the key's bytes, because those carry the id of
/// the key's schema, which a rebuilt registry changes.
///
/// Its text form, `<topic>/<column>[,<column>...]`, is what is persisted; docs/decisions/0001-positions.md gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntityKey {
    topic: Arc<str>,
    key: Arc<str>,
}

impl EntityKey {
    /// The entity of `topic` with the key columns already joined into `key`.
    #[must_use]
    pub fn new(topic: Arc<str>, key: &str) -> Self {
        Self { topic, key: key.into() }
    }

    /// The topic, which names the source table.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The key columns, joined by `,` in the key schema's order.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The text form, made at once: what `to_string` answers, without its growing steps.
    #[must_use]
    pub fn text(&self) -> String {
        [&*self.topic, "/", &*self.key].concat()
    }

    /// The entity whose text form this is; none when it is no entity's. A topic's name has no `/`, a key may have some.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let (topic, key) = text.split_once('/')?;
        Some(Self::new(topic.into(), key))
    }

    /// The id, for a table whose primary key is one integer column; `None` for any other.
    #[must_use]
    pub fn id(&self) -> Option<i64> {
        self.key.parse().ok()
    }
}

impl Hash for EntityKey {
    /// Sets of entities are those of a topic or two: the topic would be hashed for every record and tell nothing.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.key)
    }
}

/// What became of the entity.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect<R> {
    /// It stands as this row says.
    Upsert {
        /// The row after the change.
        row: R,
        /// Whether the row was changed, rather than created or read by a snapshot. Log markers speak of `op=u`.
        update: bool,
    },
    /// It is gone: the row was deleted, or its `deleted_at` was set.
    Delete,
}

/// One committed change of one entity; possibly several of them, folded into the last.
#[derive(Debug, Clone)]
pub struct Change<R> {
    /// Which entity.
    pub entity: EntityKey,
    /// Where the (last) record lies.
    pub coordinates: Coordinates,
    /// Where the change stands in its source's history; what the guard compares.
    pub position: Position,
    /// When the source committed it, in milliseconds since 1970; for snapshot reads, when the snapshot read it.
    pub committed_ms: i64,
    /// What became of the entity.
    pub effect: Effect<R>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_named_by_topic_and_decoded_key() {
        let entity = EntityKey::new("commerce.public.merchant".into(), "42");
        assert_eq!(entity.to_string(), "commerce.public.merchant/42");
        assert_eq!(entity.text(), entity.to_string());
        assert_eq!(EntityKey::of_text(&entity.text()), Some(entity.clone()));
        assert_eq!(entity.id(), Some(42));
    }

    #[test]
    fn the_text_of_a_key_with_a_slash_is_read_back() {
        let entity = EntityKey::new("commerce.public.media".into(), "a/b,1");
        assert_eq!(EntityKey::of_text(&entity.text()), Some(entity));
        assert_eq!(EntityKey::of_text("no entity"), None);
    }

    #[test]
    fn a_composite_key_has_no_single_id() {
        let entity = EntityKey::new("inventory.public.stock_level".into(), "1,2");
        assert_eq!(entity.id(), None);
    }
}
