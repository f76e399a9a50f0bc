//! Which documents are to be made again, and what must be seen in the source before they are.

use crate::memory::{Memory, Tick};
use crate::shard;
use crate::source::{Aggregate, Table};

/// A product whose document is to be made again, and why. A product has one for each change that touches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) product: i64,
    pub(crate) why: Why,
    /// The change was applied before and is applied again, to repair: it is never skipped.
    pub(crate) replay: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The product is at this version or a later one, or deleted from its table.
    Product(Option<i64>),
    /// The variant is at this version or a later one.
    Variant { id: i64, version: i64 },
    /// A variant that only the document knew is gone.
    LostVariant,
    /// Its merchant or a category changed.
    Above(Above),
    /// No change: its document is to be what the source says now.
    Again,
}

/// A merchant or a category that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Above {
    pub(crate) table: Table,
    pub(crate) id: i64,
    /// None when the row was deleted from its table.
    pub(crate) version: Option<i64>,
    /// From when on every read is known to show it. An earlier one may have shown it too, which is told when its import
    /// has ended.
    pub(crate) since: Tick,
}

impl Above {
    /// From when on every read is known to show the change by now.
    fn since(&self, memory: &Memory) -> Tick {
        let seen = self.version.and_then(|version| memory.seen_since(self.table, self.id, version));
        seen.map_or(self.since, |seen| seen.min(self.since))
    }
}

impl Wish {
    /// Whether the document in the index shows it already.
    pub(crate) fn is_granted(&self, memory: &Memory) -> bool {
        !self.replay
            && match self.why {
                Why::Product(Some(version)) => memory.has_product(self.product, version),
                Why::Variant { id, version } => memory.has_variant(id, version),
                Why::Above(above) => memory.is_read_since(self.product, above.since(memory)),
                Why::Product(None) | Why::LostVariant | Why::Again => false,
            }
    }

    /// Whether what was read of the product shows the change. A change can reach a consumer before the transaction that
    /// made it is visible to others: Postgres writes the commit to its log first.
    pub(crate) fn is_seen_in(&self, aggregate: Option<&Aggregate>) -> bool {
        match (self.why, aggregate) {
            (Why::Product(Some(version)), Some(aggregate)) => aggregate.version >= version,
            (Why::Product(Some(_)) | Why::Variant { .. }, None) => false,
            (Why::Product(None), aggregate) => aggregate.is_none(),
            (Why::Variant { id, version }, Some(aggregate)) => {
                aggregate.variants.iter().any(|variant| variant.id == id && variant.version >= version)
            }
            (Why::LostVariant | Why::Above(_) | Why::Again, _) => true,
        }
    }
}

/// Cuts wishes into chunks of up to `products` distinct products. Sorted by shard, so that chunks of a batch share few
/// shards, and chunks of several workers can be under way at once.
pub(crate) fn chunks(mut wishes: Vec<Wish>, products: usize) -> Vec<Vec<Wish>> {
    wishes.sort_unstable_by_key(|wish| (shard::of(wish.product), wish.product));
    let (mut chunks, mut chunk, mut distinct) = (Vec::new(), Vec::<Wish>::new(), 0);
    for wish in wishes {
        if chunk.last().is_none_or(|last| last.product != wish.product) {
            if distinct == products {
                chunks.push(std::mem::take(&mut chunk));
                distinct = 0;
            }
            distinct += 1;
        }
        chunk.push(wish);
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

/// The distinct products of a chunk, in its order.
pub(crate) fn products(chunk: &[Wish]) -> Vec<i64> {
    let mut products: Vec<i64> = chunk.iter().map(|wish| wish.product).collect();
    products.dedup();
    products
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(product: i64, why: Why) -> Wish {
        Wish { product, why, replay: false }
    }

    #[test]
    fn chunks_keep_a_products_wishes_together() {
        let wishes = (1..=100).flat_map(|id| [wish(id, Why::Product(Some(1))), wish(id, Why::LostVariant)]).collect();
        let chunks = chunks(wishes, 30);
        let sizes: Vec<usize> = chunks.iter().map(|chunk| products(chunk).len()).collect();
        assert_eq!(sizes, [30, 30, 30, 10]);
        assert_eq!(chunks.iter().map(Vec::len).sum::<usize>(), 200);
        let mut all: Vec<i64> = chunks.iter().flat_map(|chunk| products(chunk)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100);
    }

    #[test]
    fn a_change_that_is_not_visible_yet_is_told_from_one_that_is() {
        let aggregate = Aggregate::for_tests(5, 3, &[(51, 2)]);
        let seen = |why, aggregate| wish(5, why).is_seen_in(aggregate);
        assert!(seen(Why::Product(Some(3)), Some(&aggregate)) && !seen(Why::Product(Some(4)), Some(&aggregate)));
        assert!(!seen(Why::Product(Some(1)), None) && seen(Why::Product(None), None));
        assert!(!seen(Why::Product(None), Some(&aggregate)));
        assert!(seen(Why::Variant { id: 51, version: 2 }, Some(&aggregate)));
        assert!(!seen(Why::Variant { id: 51, version: 3 }, Some(&aggregate)));
        assert!(!seen(Why::Variant { id: 52, version: 1 }, Some(&aggregate)));
    }

    #[test]
    fn a_replay_is_never_skipped() {
        let memory = Memory::new();
        memory.wrote(&[crate::memory::Written { product: (5, 3), ..Default::default() }]);
        let why = Why::Product(Some(3));
        assert!(wish(5, why).is_granted(&memory));
        assert!(!Wish { product: 5, why, replay: true }.is_granted(&memory));
    }

    #[test]
    fn a_product_that_was_read_with_the_merchant_as_it_is_now_is_not_read_again() {
        let memory = Memory::new();
        let above = Above { table: Table::Merchant, id: 1, version: Some(7), since: 9 };
        let wish = wish(5, Why::Above(above));
        let written = |merchant| crate::memory::Written { tick: 4, product: (5, 3), merchant, ..Default::default() };
        memory.wrote(&[written((1, 6))]);
        assert!(!wish.is_granted(&memory));
        memory.wrote(&[written((1, 7))]);
        assert!(wish.is_granted(&memory));
    }
}
