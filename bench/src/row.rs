//! The row of the lab's table, and what the target is to hold of it.

use runtime::{Change, Decision, Effect};
use schemas::row::Id;
use schemas::{Field, Position};
use serde::Deserialize;
use time::OffsetDateTime;

/// A variant as it stands after a change: 13 columns. The json column is carried and not looked into.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Variant {
    pub(crate) id: i64,
    pub(crate) product_id: i64,
    pub(crate) merchant_id: i64,
    pub(crate) sku: Field<String>,
    pub(crate) name: Field<String>,
    pub(crate) price: i64,
    pub(crate) cost: i64,
    pub(crate) tax_code: Field<String>,
    pub(crate) barcode: Field<Option<String>>,
    pub(crate) attributes: Field<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) updated_at: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(crate) deleted_at: Option<OffsetDateTime>,
}

impl schemas::Row for Variant {
    const SERVICE: &'static str = "bench";
    const TABLE: &'static str = "public.variant";
    const TOPIC: &'static str = "bench.public.variant";
    type Key = Id;

    fn inherit(&mut self, earlier: Self, at: Position) {
        self.sku.inherit(earlier.sku, at);
        self.name.inherit(earlier.name, at);
        self.tax_code.inherit(earlier.tax_code, at);
        self.barcode.inherit(earlier.barcode, at);
        self.attributes.inherit(earlier.attributes, at);
    }

    fn unchanged(&self) -> Vec<&'static str> {
        let columns = [
            ("sku", self.sku.is_unchanged()),
            ("name", self.name.is_unchanged()),
            ("tax_code", self.tax_code.is_unchanged()),
            ("barcode", self.barcode.is_unchanged()),
            ("attributes", self.attributes.is_unchanged()),
        ];
        columns.into_iter().filter(|(_, unchanged)| *unchanged).map(|(column, _)| column).collect()
    }
}

/// What the target is to hold for one variant.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    Keep(Box<Variant>),
    Remove(i64),
}

/// Every variant that exists is kept; one that is gone is removed.
pub(crate) fn decide(change: &Change<Variant>) -> Decision<Plan> {
    match (&change.effect, change.entity.id()) {
        (Effect::Upsert { row, .. }, _) if schemas::Row::is_partial(row) => {
            Decision::Park("the benchmark's rows are too small to be left out of the log".to_owned())
        }
        (Effect::Upsert { row, .. }, _) => Decision::Apply(Plan::Keep(Box::new(row.clone()))),
        (Effect::Delete, Some(id)) => Decision::Apply(Plan::Remove(id)),
        (Effect::Delete, None) => Decision::Park(format!("`{}` is not a variant's id", change.entity.key())),
    }
}
