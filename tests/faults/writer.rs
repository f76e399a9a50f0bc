//! Random legal changes of commerce's rows at a steady rate: 1 to thousands of rows a transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use backbone::source;
use platform::cache_key::merchant_footer;
use platform::redis::Cache;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use sqlx::{PgPool, PgTransaction};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::statement;
use crate::truth::{Change, Merchant, Product, Truth, Variant};

/// How many rows are changed a second, about; and in a short day once the fault has had so many as it was to have, so that
/// what comes after it has the machine.
const RATE: f64 = 300.0;
const RATE_AFTERWARDS: f64 = 75.0;
/// Changes go to the rows that were made last: what is changed again and again is where order can break.
const LATELY: usize = 1_000;

/// What a writer needs.
#[derive(Clone)]
pub(crate) struct Pen {
    pub(crate) commerce: PgPool,
    pub(crate) cache: Cache,
    pub(crate) seed: u64,
    /// It goes on until so many rows were changed, and longer while nobody says that it is enough.
    pub(crate) events: u64,
    /// A short day, of one transaction of hundreds of rows at the most.
    pub(crate) is_short: bool,
}

/// A writer at work.
pub(crate) struct Load {
    task: JoinHandle<Truth>,
    enough: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
}

impl Load {
    /// Goes on where `truth` stands.
    pub(crate) fn begin(pen: Pen, truth: Truth) -> Self {
        let (enough, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let random = StdRng::seed_from_u64(pen.seed ^ truth.events);
        let mut writer = Writer { until: truth.events + pen.events, pen, truth, random };
        let (is_enough, count) = (enough.clone(), written.clone());
        let task = tokio::spawn(async move {
            while writer.truth.events < writer.until || !is_enough.load(Ordering::Relaxed) {
                writer.turn().await;
                count.store(writer.truth.events, Ordering::Relaxed);
            }
            writer.truth
        });
        Self { task, enough, written }
    }

    /// Waits until so many more rows were changed.
    pub(crate) async fn more(&self, events: u64) {
        let until = self.written.load(Ordering::Relaxed) + events;
        while self.written.load(Ordering::Relaxed) < until && !self.task.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets it come to its end; answers what was committed.
    pub(crate) async fn end(self) -> Truth {
        self.enough.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

struct Writer {
    pen: Pen,
    truth: Truth,
    until: u64,
    random: StdRng,
}

impl Writer {
    /// One transaction, and the rest that it has earned.
    async fn turn(&mut self) {
        let (before, began) = (self.truth.events, Instant::now());
        if self.random.random_bool(0.1) {
            self.contradict_a_cache().await;
        }
        let mut transaction = self.pen.commerce.begin().await.unwrap();
        for _ in 0..self.random.random_range(1..3) {
            self.change(&mut transaction).await;
        }
        // the source is not what fails here: a transaction that is not committed ends the test
        transaction.commit().await.unwrap();
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let earned = Duration::from_secs_f64((self.truth.events - before) as f64 / self.rate());
        tokio::time::sleep_until(began + earned.min(Duration::from_secs(2))).await;
    }

    fn rate(&self) -> f64 {
        if self.pen.is_short && self.truth.events >= self.until { RATE_AFTERWARDS } else { RATE }
    }

    /// A footer that was read before a change must not outlive the change.
    async fn contradict_a_cache(&mut self) {
        let Some(id) = self.merchants(1).pop() else { return };
        self.pen.cache.set(&merchant_footer(id), "cached", Duration::from_hours(1)).await;
        let mut transaction = self.pen.commerce.begin().await.unwrap();
        self.rename(&mut transaction, vec![id]).await;
        transaction.commit().await.unwrap();
        self.truth.cached.insert(id);
    }

    /// One statement, over one or many rows.
    async fn change(&mut self, transaction: &mut PgTransaction<'_>) {
        let size = match self.random.random_range(0..100) {
            0 => self.random.random_range(100..=if self.pen.is_short { 600 } else { 5_000 }),
            1..12 => self.random.random_range(10..100),
            _ => self.random.random_range(1..8),
        };
        match self.random.random_range(0..12) {
            0..3 => self.found(transaction, size).await,
            3 | 4 => {
                let ids = self.merchants(size);
                self.rename(transaction, ids).await;
            }
            5..8 => self.rewrite(transaction, size).await,
            8 => self.remove_or_move(transaction, size.min(20)).await,
            9 => self.stock_up(transaction, size.min(200)).await,
            10 => self.rewrite_products(transaction, size.min(200)).await,
            _ => self.reprice(transaction, size.min(200)).await,
        }
    }

    async fn found(&mut self, transaction: &mut PgTransaction<'_>, size: usize) {
        let rows: Vec<_> = (0..size).map(|_| (source::id(), self.merchant())).collect();
        statement::insert_merchants(transaction, &rows).await;
        self.note(rows, Change::Merchant);
    }

    /// The name alone: a large value beside it stays where it is, and the change does not carry it.
    async fn rename(&mut self, transaction: &mut PgTransaction<'_>, ids: Vec<i64>) {
        let rows: Vec<_> = ids
            .into_iter()
            .map(|id| (id, Merchant { name: self.name(), ..self.truth.merchants[&id].clone() }))
            .collect();
        statement::rename_merchants(transaction, &rows).await;
        self.note(rows, Change::Merchant);
    }

    async fn rewrite(&mut self, transaction: &mut PgTransaction<'_>, size: usize) {
        let rows: Vec<_> = self.merchants(size).into_iter().map(|id| (id, self.merchant())).collect();
        statement::write_merchants(transaction, &rows).await;
        self.note(rows, Change::Merchant);
    }

    /// Rows without products, which nothing refers to, leave the table or get another key. Large values do not move: the
    /// record of the new key would not carry them (`stream.rs` has a test of that).
    async fn remove_or_move(&mut self, transaction: &mut PgTransaction<'_>, size: usize) {
        let ids: Vec<i64> = self.merchants(size).into_iter().filter(|id| !self.truth.stocked.contains(id)).collect();
        if self.random.random_bool(0.5) {
            statement::delete_merchants(transaction, &ids).await;
            for id in ids {
                self.truth.apply(Change::MerchantDeleted(id));
            }
            return;
        }
        for from in ids {
            let (to, row) = (source::id(), self.truth.merchants[&from].clone());
            if row.tax_address.as_ref().is_some_and(|address| address.len() > 1_000) {
                continue;
            }
            statement::move_merchant(transaction, from, to).await;
            self.truth.apply(Change::MerchantDeleted(from));
            self.truth.apply(Change::Merchant(to, row));
        }
    }

    async fn stock_up(&mut self, transaction: &mut PgTransaction<'_>, size: usize) {
        let Some(merchant) = self.merchants(1).pop() else { return };
        let products: Vec<_> =
            (0..size).map(|_| (source::id(), Product { merchant, name: self.name(), is_gone: false })).collect();
        let mut variants = Vec::new();
        for (product, _) in &products {
            for _ in 0..self.random.random_range(1..4) {
                let price = self.random.random_range(1..1_000) * 1_000;
                variants.push((source::id(), Variant { product: *product, merchant, price, is_gone: false }));
            }
        }
        statement::insert_products(transaction, &products).await;
        statement::insert_variants(transaction, &variants).await;
        self.note(products, Change::Product);
        self.note(variants, Change::Variant);
    }

    async fn rewrite_products(&mut self, transaction: &mut PgTransaction<'_>, size: usize) {
        let lately: Vec<i64> = self.truth.products.keys().rev().take(LATELY).copied().collect();
        let ids: Vec<i64> = lately.choose_multiple(&mut self.random, size).copied().collect();
        let rows: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let merchant = self.truth.products[&id].merchant;
                (id, Product { merchant, name: self.name(), is_gone: self.random.random_bool(0.2) })
            })
            .collect();
        statement::write_products(transaction, &rows).await;
        self.note(rows, Change::Product);
    }

    /// The product's version goes with its variants', as in every write of the aggregate.
    async fn reprice(&mut self, transaction: &mut PgTransaction<'_>, size: usize) {
        let lately: Vec<i64> = self.truth.variants.keys().rev().take(LATELY).copied().collect();
        let ids: Vec<i64> = lately.choose_multiple(&mut self.random, size).copied().collect();
        let rows: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let price = self.random.random_range(1..1_000) * 1_000;
                let is_gone = self.random.random_bool(0.2);
                (id, Variant { price, is_gone, ..self.truth.variants[&id].clone() })
            })
            .collect();
        statement::write_variants(transaction, &rows).await;
        self.note(rows, Change::Variant);
    }

    fn note<R>(&mut self, rows: Vec<(i64, R)>, change: impl Fn(i64, R) -> Change) {
        for (id, row) in rows {
            self.truth.apply(change(id, row));
        }
    }

    /// Up to so many of the merchants that were made last.
    fn merchants(&mut self, size: usize) -> Vec<i64> {
        let lately: Vec<i64> = self.truth.merchants.keys().rev().take(LATELY).copied().collect();
        lately.choose_multiple(&mut self.random, size).copied().collect()
    }

    fn merchant(&mut self) -> Merchant {
        let random = &mut self.random;
        let tax_name = random.random_bool(0.7).then(|| format!("HỘ KINH DOANH {}", random.random_range(0..1000)));
        // one in fifty is so large that Postgres keeps it beside the row
        let length = if random.random_range(0..50) == 0 { 4_000 } else { 2 };
        let hex = |random: &mut StdRng| format!("{:016x}", random.random::<u64>());
        let tax_address = random.random_bool(0.5).then(|| (0..length).map(|_| hex(random)).collect());
        let is_gone = random.random_bool(0.1);
        Merchant { name: self.name(), tax_name, tax_address, is_gone }
    }

    fn name(&mut self) -> String {
        format!("Quán phở {}", self.random.random_range(0..1_000_000))
    }
}
