//! Products, carried into the search engine.
#![doc = include_str!("../README.md")]

mod apply;
mod beside;
mod chunk;
mod compare;
mod decide;
mod digest;
mod document;
mod fill;
mod memory;
mod plain;
mod preview;
mod reindex;
mod settings;
mod shard;
mod source;
mod touch;
mod typesense;
mod wish;

use std::sync::Arc;

use runtime::{
    Batch, Change, Comparison, Consumer, Decision, EntityKey, Fault, Held, Outcome, Preview, Sources, Topic,
};
use schemas::Position;
use sqlx::PgPool;
use tokio::sync::Semaphore;

use crate::compare::Documents;

pub use beside::Beside;
pub use decide::Plan;
pub use document::PRICE_BANDS;
pub use reindex::{Collections, Progress, Reindex, Settled};
pub use settings::Settings;
pub use touch::Touch;
pub use typesense::COLLECTION;

/// The consumer's name: crate, group, subcommand argument, metric label.
pub const NAME: &str = "search-sync";

/// The consumer. Clones share what they remember and how much they have under way.
#[derive(Clone)]
pub struct SearchSync(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) typesense: typesense::Typesense,
    /// Commerce, read-only.
    pub(crate) source: PgPool,
    /// Locks and positions.
    pub(crate) backbone: PgPool,
    pub(crate) memory: memory::Memory,
    /// The order of reads.
    pub(crate) snapshots: source::Snapshots,
    pub(crate) reservations: shard::Reservations,
    /// One for each chunk under way.
    pub(crate) permits: Semaphore,
}

impl SearchSync {
    /// A consumer that reads `source` (commerce, as the role `reader`; the primary, because a change must be visible
    /// once it was seen) and keeps its locks and positions in `backbone`. It uses up to [`Settings::concurrency`]
    /// connections of each, and one more of each for a moment.
    ///
    /// # Errors
    /// When the key cannot be sent in a header.
    pub fn new(settings: Settings, http: reqwest::Client, source: PgPool, backbone: PgPool) -> anyhow::Result<Self> {
        let typesense = typesense::Typesense::new(&settings, http)?;
        let permits = Semaphore::new(settings.concurrency);
        let (memory, reservations) = (memory::Memory::new(), shard::Reservations::new());
        let snapshots = source::Snapshots::default();
        Ok(Self(Arc::new(Inner { settings, typesense, source, backbone, memory, snapshots, reservations, permits })))
    }

    /// Makes the collection and its alias where they are missing. The first batch does so too; a process that calls
    /// this at its start has them before the first change.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] while the engine is not ready; [`Fault::Unknown`] when it refuses, or the collection was
    /// made with other fields.
    pub async fn ensure_collection(&self) -> Result<(), Fault> {
        self.0.typesense.ensure_collection().await
    }

    /// What an operator does to the collections behind the alias.
    #[must_use]
    pub fn reindex(&self) -> Reindex {
        Reindex::of(self.0.clone())
    }
}

impl std::fmt::Debug for SearchSync {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SearchSync").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Consumer for SearchSync {
    type Row = Touch;
    type Plan = Plan;

    fn name(&self) -> &'static str {
        NAME
    }

    fn topics(&self) -> Vec<Topic<Touch>> {
        touch::topics()
    }

    /// Nothing to complete: ids and versions are in every change.
    fn inherit(_: &mut Touch, _: Touch, _: Position) {}

    fn home(&self) -> &PgPool {
        &self.0.backbone
    }

    fn decide(&self, change: &Change<Touch>) -> Decision<Plan> {
        decide::decide(change)
    }

    async fn apply(&self, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
        apply::apply(&self.0, batch).await
    }

    async fn preview(&self, batch: &Batch<Plan>) -> Result<Preview, Fault> {
        preview::preview(&self.0, batch).await
    }

    async fn held(&self, entity: &EntityKey) -> Result<Vec<Held>, Fault> {
        preview::held(&self.0, entity).await
    }

    fn comparisons(&self, source: &Sources<'_>) -> anyhow::Result<Vec<Box<dyn Comparison>>> {
        Ok(vec![Box::new(Documents::searched(self.0.clone(), source("commerce")?))])
    }
}
