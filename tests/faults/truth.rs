//! The plain model: what the source was told and answered as committed, applied in order.

use std::collections::{BTreeMap, BTreeSet};

/// A row of `merchant`, as far as targets show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merchant {
    pub(crate) name: String,
    pub(crate) tax_name: Option<String>,
    pub(crate) tax_address: Option<String>,
    /// Deleted softly: the row is there, with `deleted_at`.
    pub(crate) is_gone: bool,
}

/// A row of `product`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) merchant: i64,
    pub(crate) name: String,
    pub(crate) is_gone: bool,
}

/// A row of `variant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) product: i64,
    pub(crate) merchant: i64,
    pub(crate) price: i64,
    pub(crate) is_gone: bool,
}

/// One row after a committed change.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Merchant(i64, Merchant),
    /// The row is in the table no more.
    MerchantDeleted(i64),
    Product(i64, Product),
    Variant(i64, Variant),
}

/// What a document of the search engine shows: the product's name, and the lowest price.
pub(crate) type Document = (String, Option<i64>);
/// What `tax_info` shows: name, tax name, tax address.
pub(crate) type TaxInfo = (String, Option<String>, Option<String>);

/// The source as it stands after the committed changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Truth {
    pub(crate) merchants: BTreeMap<i64, Merchant>,
    pub(crate) products: BTreeMap<i64, Product>,
    pub(crate) variants: BTreeMap<i64, Variant>,
    /// Every merchant that ever was, also those whose row was deleted.
    pub(crate) ever: BTreeSet<i64>,
    /// Merchants that have, or had, products: their rows stay, and keep their key.
    pub(crate) stocked: BTreeSet<i64>,
    /// Merchants whose footer was put into the cache before a change that makes it wrong.
    pub(crate) cached: BTreeSet<i64>,
    /// How many rows were changed.
    pub(crate) events: u64,
}

impl Truth {
    pub(crate) fn apply(&mut self, change: Change) {
        self.events += 1;
        match change {
            Change::Merchant(id, merchant) => {
                self.ever.insert(id);
                self.merchants.insert(id, merchant);
            }
            Change::MerchantDeleted(id) => drop(self.merchants.remove(&id)),
            Change::Product(id, product) => {
                self.stocked.insert(product.merchant);
                self.products.insert(id, product);
            }
            Change::Variant(id, variant) => drop(self.variants.insert(id, variant)),
        }
    }

    /// What invoice must show.
    pub(crate) fn tax_infos(&self) -> BTreeMap<i64, TaxInfo> {
        let shown = self.merchants.iter().filter(|(_, merchant)| !merchant.is_gone);
        shown.map(|(id, m)| (*id, (m.name.clone(), m.tax_name.clone(), m.tax_address.clone()))).collect()
    }

    /// The merchants whose default location must be there and in use.
    pub(crate) fn locations(&self) -> BTreeSet<i64> {
        self.merchants.iter().filter(|(_, merchant)| !merchant.is_gone).map(|(id, _)| *id).collect()
    }

    /// The variants that must have a level, and whether it is in use.
    pub(crate) fn levels(&self) -> BTreeMap<i64, bool> {
        self.variants.iter().map(|(id, variant)| (*id, !variant.is_gone)).collect()
    }

    /// What the search engine must show.
    pub(crate) fn documents(&self) -> BTreeMap<i64, Document> {
        let mut lowest: BTreeMap<i64, i64> = BTreeMap::new();
        for variant in self.variants.values().filter(|variant| !variant.is_gone) {
            let price = lowest.entry(variant.product).or_insert(variant.price);
            *price = variant.price.min(*price);
        }
        let is_live = |merchant| self.merchants.get(merchant).is_some_and(|merchant| !merchant.is_gone);
        let shown = self.products.iter().filter(|(_, product)| !product.is_gone && is_live(&product.merchant));
        shown.map(|(id, product)| (*id, (product.name.clone(), lowest.get(id).copied()))).collect()
    }
}
