//! Which products a change touches. Pure.

use runtime::{Change, Decision, Effect};
use schemas::Row as _;
use schemas::commerce::category::Category;
use schemas::commerce::merchant::Merchant;
use schemas::commerce::product::Product;
use schemas::commerce::variant::Variant;

use crate::touch::Touch;

/// Whose documents are to be made again from the source's present state. A version is what the source must show at
/// least; none when the row was deleted from its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "ids and versions of the rows of the same names")]
pub enum Plan {
    /// One product's document.
    Product { id: i64, version: Option<i64> },
    /// The document of a variant's product.
    Variant { id: i64, product_id: i64, version: i64 },
    /// The document that names a variant whose row is gone; which one it is, only the search engine knows.
    LostVariant { id: i64 },
    /// The documents of all products of a merchant: its name, its status.
    Merchant { id: i64, version: Option<i64> },
    /// The documents of all products in a category and below it: its name, its place in the tree.
    Category { id: i64, version: Option<i64> },
}

pub(crate) fn decide(change: &Change<Touch>) -> Decision<Plan> {
    match &change.effect {
        Effect::Upsert { row, .. } => Decision::Apply(match *row {
            Touch::Merchant { id, version } => Plan::Merchant { id, version: Some(version) },
            Touch::Category { id, version } => Plan::Category { id, version: Some(version) },
            Touch::Product { id, version } => Plan::Product { id, version: Some(version) },
            Touch::Variant { id, product_id, version } => Plan::Variant { id, product_id, version },
        }),
        Effect::Delete => deleted(change),
    }
}

/// A row that was deleted from its table leaves nothing but its key.
fn deleted(change: &Change<Touch>) -> Decision<Plan> {
    let Some(id) = change.entity.id() else {
        return Decision::Park(format!("`{}` is not an id", change.entity.key()));
    };
    let version = None;
    Decision::Apply(match change.entity.topic() {
        Merchant::TOPIC => Plan::Merchant { id, version },
        Category::TOPIC => Plan::Category { id, version },
        Product::TOPIC => Plan::Product { id, version },
        Variant::TOPIC => Plan::LostVariant { id },
        other => return Decision::Park(format!("search-sync does not read `{other}`")),
    })
}

#[cfg(test)]
mod tests {
    use runtime::{Coordinates, EntityKey};
    use schemas::Position;

    use super::*;

    fn decision(topic: &str, key: &str, effect: Effect<Touch>) -> Decision<Plan> {
        decide(&Change {
            entity: EntityKey::new(topic.into(), key),
            coordinates: Coordinates { topic: topic.into(), partition: 0, offset: 7 },
            position: Position::default(),
            committed_ms: 0,
            effect,
        })
    }

    #[test]
    fn a_variant_touches_its_product() {
        let row = Touch::Variant { id: 3, product_id: 2, version: 5 };
        let decision = decision(Variant::TOPIC, "3", Effect::Upsert { row, update: true });
        assert_eq!(decision, Decision::Apply(Plan::Variant { id: 3, product_id: 2, version: 5 }));
    }

    #[test]
    fn a_deleted_row_is_known_by_its_topic_and_key() {
        let deleted = |topic| decision(topic, "9", Effect::Delete);
        assert_eq!(deleted(Product::TOPIC), Decision::Apply(Plan::Product { id: 9, version: None }));
        assert_eq!(deleted(Merchant::TOPIC), Decision::Apply(Plan::Merchant { id: 9, version: None }));
        assert_eq!(deleted(Category::TOPIC), Decision::Apply(Plan::Category { id: 9, version: None }));
        assert_eq!(deleted(Variant::TOPIC), Decision::Apply(Plan::LostVariant { id: 9 }));
    }

    #[test]
    fn what_is_no_id_or_no_topic_of_ours_parks() {
        assert!(matches!(decision(Product::TOPIC, "1,2", Effect::Delete), Decision::Park(_)));
        assert!(matches!(decision("commerce.public.media", "1", Effect::Delete), Decision::Park(_)));
    }
}
