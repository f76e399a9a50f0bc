//! What a change makes wrong in the cache. Pure.

use runtime::{Change, Decision, Effect};
use schemas::Row;
use schemas::commerce::category::Category;
use schemas::commerce::merchant::Merchant;
use schemas::commerce::product::Product;
use schemas::identity::policy::Policy;
use schemas::identity::role::Role;

/// What is read of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A row of `identity.public.role` or `identity.public.policy`.
    Permission,
    /// A row of `commerce.public.merchant`, `category` or `product`.
    Of {
        /// The merchant that the row is of.
        merchant_id: i64,
    },
}

/// What is to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Every cached decision of the policies.
    Decisions,
    /// One merchant's footer.
    Footer {
        /// The merchant.
        merchant_id: i64,
    },
    /// Every merchant's footer: the row is gone for good and its key does not say whose it was.
    Footers,
}

/// Whatever became of a row, what was made of it is dropped.
pub(crate) fn decide(change: &Change<Seen>) -> Decision<Plan> {
    match change.effect {
        Effect::Upsert { row: Seen::Permission, .. } => Decision::Apply(Plan::Decisions),
        Effect::Upsert { row: Seen::Of { merchant_id }, .. } => Decision::Apply(Plan::Footer { merchant_id }),
        Effect::Delete => gone(change),
    }
}

/// A row that was really deleted, which no service does: soft deletes arrive as rows.
fn gone(change: &Change<Seen>) -> Decision<Plan> {
    match (change.entity.topic(), change.entity.id()) {
        (Role::TOPIC | Policy::TOPIC, _) => Decision::Apply(Plan::Decisions),
        (Merchant::TOPIC, Some(merchant_id)) => Decision::Apply(Plan::Footer { merchant_id }),
        (Category::TOPIC | Product::TOPIC, _) => Decision::Apply(Plan::Footers),
        _ => Decision::Park(format!("`{}` is not an entity of this consumer's topics", change.entity)),
    }
}

#[cfg(test)]
mod tests {
    use runtime::{Coordinates, EntityKey};
    use schemas::Position;

    use super::*;

    fn decided(topic: &str, key: &str, effect: Effect<Seen>) -> Decision<Plan> {
        decide(&Change {
            entity: EntityKey::new(topic.into(), key),
            coordinates: Coordinates { topic: topic.into(), partition: 0, offset: 7 },
            position: Position::default(),
            committed_ms: 0,
            effect,
        })
    }

    #[test]
    fn a_role_or_policy_that_changes_or_goes_drops_every_decision() {
        for topic in [Role::TOPIC, Policy::TOPIC] {
            let upsert = Effect::Upsert { row: Seen::Permission, update: true };
            assert_eq!(decided(topic, "1", upsert), Decision::Apply(Plan::Decisions));
            assert_eq!(decided(topic, "1", Effect::Delete), Decision::Apply(Plan::Decisions));
        }
    }

    #[test]
    fn a_row_of_commerce_drops_its_merchants_footer() {
        for topic in [Merchant::TOPIC, Category::TOPIC, Product::TOPIC] {
            let upsert = Effect::Upsert { row: Seen::Of { merchant_id: 4 }, update: true };
            assert_eq!(decided(topic, "9", upsert), Decision::Apply(Plan::Footer { merchant_id: 4 }));
        }
        assert_eq!(decided(Merchant::TOPIC, "4", Effect::Delete), Decision::Apply(Plan::Footer { merchant_id: 4 }));
    }

    #[test]
    fn a_row_that_was_really_deleted_and_whose_merchant_nobody_knows_drops_every_footer() {
        for topic in [Category::TOPIC, Product::TOPIC] {
            assert_eq!(decided(topic, "9", Effect::Delete), Decision::Apply(Plan::Footers));
        }
    }

    #[test]
    fn what_is_of_no_topic_of_ours_parks() {
        for (topic, key) in [("commerce.public.variant", "1"), (Merchant::TOPIC, "a,b")] {
            assert!(matches!(decided(topic, key, Effect::Delete), Decision::Park(_)));
        }
    }
}
