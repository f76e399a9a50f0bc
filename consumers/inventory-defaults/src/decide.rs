//! What a change of a merchant or a variant means for inventory. Pure.

use runtime::{Change, Decision, Effect};
use schemas::Row;
use schemas::commerce::merchant::Merchant;
use schemas::commerce::variant::Variant;

/// What is read of a row of either topic: a few numbers, so that a backlog of them takes little memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A row of `commerce.public.merchant`.
    Merchant {
        /// The merchant.
        id: i64,
        /// The user who made it: an OWNER sees what it created.
        created_by: i64,
        /// Whether `deleted_at` is set.
        gone: bool,
    },
    /// A row of `commerce.public.variant`.
    Variant {
        /// The variant.
        id: i64,
        /// The product that it is a variant of.
        product_id: i64,
        /// The merchant that sells it.
        merchant_id: i64,
        /// Whether `deleted_at` is set.
        gone: bool,
    },
}

impl Seen {
    /// Whether the row is soft deleted.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Merchant { gone, .. } | Self::Variant { gone, .. } => *gone,
        }
    }
}

impl From<&Merchant> for Seen {
    fn from(merchant: &Merchant) -> Self {
        Self::Merchant { id: merchant.id, created_by: merchant.created_by, gone: merchant.deleted_at.is_some() }
    }
}

impl From<&Variant> for Seen {
    fn from(variant: &Variant) -> Self {
        Self::Variant {
            id: variant.id,
            product_id: variant.product_id,
            merchant_id: variant.merchant_id,
            gone: variant.deleted_at.is_some(),
        }
    }
}

/// What inventory is to hold for one merchant or one variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// The merchant has its default location, and its locations know who created it.
    Open {
        /// The merchant.
        merchant_id: i64,
        /// Who made it.
        created_by: i64,
    },
    /// The merchant's locations are marked deleted, and the levels in them with them.
    Close {
        /// The merchant.
        merchant_id: i64,
    },
    /// The variant has a level at its merchant's default location: nought when there was none.
    Stock {
        /// The variant.
        variant_id: i64,
        /// The product that it is a variant of.
        product_id: i64,
        /// The merchant that sells it.
        merchant_id: i64,
    },
    /// The variant's levels are marked deleted, with whatever quantity they have.
    Retire {
        /// The variant.
        variant_id: i64,
    },
}

/// A row that stands opens or stocks; a row that is gone closes or retires, and is known by its key alone.
pub(crate) fn decide(change: &Change<Seen>) -> Decision<Plan> {
    match change.effect {
        Effect::Upsert { row: Seen::Merchant { id, created_by, .. }, .. } => {
            Decision::Apply(Plan::Open { merchant_id: id, created_by })
        }
        Effect::Upsert { row: Seen::Variant { id, product_id, merchant_id, .. }, .. } => {
            Decision::Apply(Plan::Stock { variant_id: id, product_id, merchant_id })
        }
        Effect::Delete => gone(change),
    }
}

fn gone(change: &Change<Seen>) -> Decision<Plan> {
    let Some(id) = change.entity.id() else {
        return Decision::Park(format!("`{}` is not an id", change.entity.key()));
    };
    match change.entity.topic() {
        Merchant::TOPIC => Decision::Apply(Plan::Close { merchant_id: id }),
        Variant::TOPIC => Decision::Apply(Plan::Retire { variant_id: id }),
        other => Decision::Park(format!("`{other}` is not a topic of this consumer")),
    }
}

#[cfg(test)]
mod tests {
    use runtime::{Coordinates, EntityKey};
    use schemas::Position;

    use super::*;

    fn change(topic: &str, key: &str, effect: Effect<Seen>) -> Change<Seen> {
        Change {
            entity: EntityKey::new(topic.into(), key),
            coordinates: Coordinates { topic: topic.into(), partition: 0, offset: 7 },
            position: Position::default(),
            committed_ms: 0,
            effect,
        }
    }

    #[test]
    fn a_row_that_stands_opens_or_stocks() {
        let merchant = Seen::Merchant { id: 4, created_by: 9, gone: false };
        let variant = Seen::Variant { id: 5, product_id: 6, merchant_id: 4, gone: false };
        let decided = |topic, key, row| decide(&change(topic, key, Effect::Upsert { row, update: false }));
        assert_eq!(
            decided(Merchant::TOPIC, "4", merchant),
            Decision::Apply(Plan::Open { merchant_id: 4, created_by: 9 })
        );
        assert_eq!(
            decided(Variant::TOPIC, "5", variant),
            Decision::Apply(Plan::Stock { variant_id: 5, product_id: 6, merchant_id: 4 })
        );
    }

    #[test]
    fn a_row_that_is_gone_is_known_by_its_topic_and_key() {
        let decided = |topic, key| decide(&change(topic, key, Effect::Delete));
        assert_eq!(decided(Merchant::TOPIC, "4"), Decision::Apply(Plan::Close { merchant_id: 4 }));
        assert_eq!(decided(Variant::TOPIC, "5"), Decision::Apply(Plan::Retire { variant_id: 5 }));
    }

    #[test]
    fn a_key_that_is_no_id_parks_and_so_does_another_topic() {
        for (topic, key) in [(Merchant::TOPIC, "a,b"), (Variant::TOPIC, ""), ("commerce.public.product", "7")] {
            assert!(matches!(decide(&change(topic, key, Effect::Delete)), Decision::Park(_)), "{topic}/{key}");
        }
    }
}
