//! What this process has imported lately, so that a product with three variants in a backlog is imported once and not
//! four times.
//!
//! It only ever saves work. A row at some version counts as imported when this process wrote, under the product's lock,
//! a document computed from that version or a later one; whoever writes that document afterwards has read it later, under
//! the same lock. What is forgotten is imported again. A replay is never skipped: see [`Memory::is_replay`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use runtime::Coordinates;
use runtime::frontier::Mark;

use crate::source;

/// Orders reads of the source within this process: a read of a later tick sees at least what one of an earlier tick saw
/// (see [`crate::source::Snapshots`]), and what any statement saw that ended before the tick was taken.
pub(crate) type Tick = u64;

/// The four tables and how far each partition was applied.
pub(crate) struct Memory {
    clock: AtomicU64,
    state: Mutex<State>,
}

struct State {
    epoch: i32,
    products: Table,
    variants: Table,
    /// The earliest read that saw a merchant at its version.
    merchants: Table,
    /// The earliest read that saw a category at its version.
    categories: Table,
    applied: HashMap<(Arc<str>, i32), i64>,
}

/// A document that was written, or removed, and what it was computed from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The read.
    pub(crate) tick: Tick,
    pub(crate) product: (i64, i64),
    pub(crate) variants: Vec<(i64, i64)>,
    pub(crate) merchant: (i64, i64),
    pub(crate) categories: Vec<(i64, i64)>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let state = State {
            epoch: 0,
            products: Table::with_slots(1 << 17),
            variants: Table::with_slots(1 << 18),
            merchants: Table::with_slots(1 << 12),
            categories: Table::with_slots(1 << 14),
            applied: HashMap::new(),
        };
        Self { clock: AtomicU64::new(1), state: Mutex::new(state) }
    }

    /// Now.
    pub(crate) fn tick(&self) -> Tick {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Notes documents that are in the index.
    pub(crate) fn wrote(&self, written: &[Written]) {
        let mut state = self.lock();
        for document in written {
            let (id, version) = document.product;
            if state.products.get(id).is_some_and(|known| version < known.version) {
                // Under the product's lock versions only rise: the source was restored to an earlier state.
                state.forget();
            }
            state.products.put(id, version, document.tick);
            for (id, version) in &document.variants {
                state.variants.put(*id, *version, document.tick);
            }
            let (id, version) = document.merchant;
            state.merchants.first(id, version, document.tick);
            for (id, version) in &document.categories {
                state.categories.first(*id, *version, document.tick);
            }
        }
    }

    /// Whether a document computed from this version of the product, or a later one, was written.
    pub(crate) fn has_product(&self, id: i64, version: i64) -> bool {
        self.lock().products.get(id).is_some_and(|known| known.version >= version)
    }

    /// The same of a variant.
    pub(crate) fn has_variant(&self, id: i64, version: i64) -> bool {
        self.lock().variants.get(id).is_some_and(|known| known.version >= version)
    }

    /// Whether the product's document was computed by a read of `since` or later.
    pub(crate) fn is_read_since(&self, id: i64, since: Tick) -> bool {
        self.lock().products.get(id).is_some_and(|known| known.tick >= since)
    }

    /// From when on every read has seen this version of a merchant or category, if that was noted.
    pub(crate) fn seen_since(&self, table: source::Table, id: i64, version: i64) -> Option<Tick> {
        let mut state = self.lock();
        let known = match table {
            source::Table::Merchant => state.merchants.get(id),
            source::Table::Category => state.categories.get(id),
        };
        known.filter(|known| known.version >= version).map(|known| known.tick)
    }

    /// Whether the record was applied before by this process: it is read again to repair what went wrong in the index,
    /// so that it must not be skipped.
    pub(crate) fn is_replay(&self, coordinates: &Coordinates) -> bool {
        let partition = (coordinates.topic.clone(), coordinates.partition);
        self.lock().applied.get(&partition).is_some_and(|next| coordinates.offset < *next)
    }

    /// Notes how far a partition is applied.
    pub(crate) fn applied(&self, mark: &Mark) {
        let mut state = self.lock();
        let next = state.applied.entry((mark.topic.clone(), mark.partition)).or_default();
        *next = mark.next_offset.max(*next);
    }

    /// Notes the epoch of a change. A new one says that the source's history was cut: versions from before mean nothing.
    pub(crate) fn enter(&self, epoch: i32) {
        let mut state = self.lock();
        if epoch > state.epoch {
            state.epoch = epoch;
            state.forget();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self) {
        for table in [&mut self.products, &mut self.variants, &mut self.merchants, &mut self.categories] {
            table.slots.fill(Slot::default());
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// 0 for an empty slot: no id is.
    id: i64,
    version: i64,
    tick: Tick,
}

/// A table of a fixed size that forgets the oldest of a set of four. Ids are kept whole, so it never confuses two.
struct Table {
    slots: Vec<Slot>,
}

const WAYS: usize = 4;

impl Table {
    fn with_slots(slots: usize) -> Self {
        Self { slots: vec![Slot::default(); slots] }
    }

    fn set(&mut self, id: i64) -> &mut [Slot] {
        let sets = self.slots.len() / WAYS;
        let set = usize::try_from(crate::shard::spread(id)).unwrap_or_default() % sets;
        &mut self.slots[set * WAYS..(set + 1) * WAYS]
    }

    fn get(&mut self, id: i64) -> Option<Slot> {
        self.set(id).iter().find(|slot| slot.id == id && id != 0).copied()
    }

    fn put(&mut self, id: i64, version: i64, tick: Tick) {
        let set = self.set(id);
        let own = set.iter().position(|slot| slot.id == id);
        let index = own.or_else(|| (0..WAYS).min_by_key(|index| set[*index].tick)).unwrap_or_default();
        set[index] = Slot { id, version, tick };
    }

    /// As [`Table::put`], keeping the earliest tick of the version: reads are noted in the order of their imports' ends.
    fn first(&mut self, id: i64, version: i64, tick: Tick) {
        let is_first = |known: Slot| known.version < version || (known.version == version && tick < known.tick);
        if self.get(id).is_none_or(is_first) {
            self.put(id, version, tick);
        }
    }
}

#[cfg(test)]
mod tests {
    use runtime::frontier::Fingerprint;

    use super::*;

    fn document(tick: Tick, id: i64, version: i64) -> Written {
        let variants = vec![(id + 1, version)];
        Written { tick, product: (id, version), variants, merchant: (1, 7), categories: vec![(2, 5)] }
    }

    #[test]
    fn a_version_counts_as_imported_once_it_or_a_later_one_was_written() {
        let memory = Memory::new();
        memory.wrote(&[document(5, 10, 3)]);
        assert!(memory.has_product(10, 3) && memory.has_product(10, 2) && !memory.has_product(10, 4));
        assert!(memory.has_variant(11, 3) && !memory.has_variant(11, 4) && !memory.has_variant(12, 1));
    }

    #[test]
    fn a_merchants_product_is_up_to_date_when_read_no_earlier_than_the_merchant_was_seen() {
        let memory = Memory::new();
        let older = Written { merchant: (1, 6), ..document(1, 10, 1) };
        // imports end in another order than their reads
        memory.wrote(&[document(4, 20, 1)]);
        memory.wrote(&[older, document(3, 30, 1)]);
        let since = memory.seen_since(source::Table::Merchant, 1, 7).unwrap();
        assert!(!memory.is_read_since(10, since) && memory.is_read_since(20, since) && memory.is_read_since(30, since));
        assert_eq!(memory.seen_since(source::Table::Merchant, 1, 8), None);
        assert_eq!(memory.seen_since(source::Table::Category, 2, 5), Some(1));
    }

    #[test]
    fn a_source_that_went_back_is_forgotten() {
        let memory = Memory::new();
        memory.wrote(&[document(1, 10, 7), document(1, 30, 7)]);
        memory.wrote(&[document(3, 10, 5)]);
        assert!(!memory.has_product(30, 7) && memory.has_product(10, 5) && !memory.has_product(10, 6));
        memory.enter(1);
        assert!(!memory.has_product(10, 5));
    }

    #[test]
    fn a_record_below_what_was_applied_is_a_replay() {
        let memory = Memory::new();
        let topic: Arc<str> = "t".into();
        let at = |offset| Coordinates { topic: topic.clone(), partition: 2, offset };
        assert!(!memory.is_replay(&at(0)));
        let fingerprint = Fingerprint::of(0, None, None);
        memory.applied(&Mark { topic: topic.clone(), partition: 2, next_offset: 9, fingerprint });
        assert!(memory.is_replay(&at(8)) && !memory.is_replay(&at(9)));
    }

    #[test]
    fn a_full_table_forgets_and_never_confuses() {
        let mut table = Table::with_slots(16);
        for id in 1..=100 {
            table.put(id, id * 2, u64::try_from(id).unwrap());
        }
        let known: Vec<i64> = (1..=100).filter(|id| table.get(*id).is_some()).collect();
        assert!(known.len() <= 16 && known.contains(&100), "{known:?}");
        assert!(known.iter().all(|id| table.get(*id).unwrap().version == id * 2));
        assert!(table.get(0).is_none());
    }
}
