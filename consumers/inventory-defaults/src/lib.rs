//! Commerce's merchants and variants, carried into inventory's default locations and zero stock levels.
#![doc = include_str!("../README.md")]

mod apply;
mod decide;
mod level;
mod location;
mod projection;

use runtime::preview::Trial;
use runtime::{
    Batch, Change, Comparison, Consumer, Decision, EntityKey, Fault, Held, Outcome, Preview, Projection, Rows, Sources,
    Topic, held,
};
use schemas::commerce::merchant::Merchant;
use schemas::commerce::variant::Variant;
use schemas::{Position, Row as _};
use sqlx::PgPool;

pub use decide::{Plan, Seen};

/// The consumer's name: crate, group, subcommand argument, metric label.
pub const NAME: &str = "inventory-defaults";

/// How a merchant or variant that went, and whose rows are marked so, is counted.
pub const REMOVED: &str = "removed";

/// The consumer.
#[derive(Debug, Clone)]
pub struct InventoryDefaults {
    inventory: PgPool,
}

impl InventoryDefaults {
    /// A consumer that writes this inventory database.
    #[must_use]
    pub fn new(inventory: PgPool) -> Self {
        Self { inventory }
    }
}

impl Consumer for InventoryDefaults {
    type Row = Seen;
    type Plan = Plan;

    fn name(&self) -> &'static str {
        NAME
    }

    fn topics(&self) -> Vec<Topic<Seen>> {
        vec![
            Topic::of::<Merchant>(|merchant| Seen::from(&merchant), Seen::is_gone),
            Topic::of::<Variant>(|variant| Seen::from(&variant), Seen::is_gone),
        ]
    }

    /// Nothing to complete: ids and times are in every change, only large texts can be left out of the log.
    fn inherit(_: &mut Seen, _: Seen, _: Position) {}

    fn home(&self) -> &PgPool {
        &self.inventory
    }

    fn decide(&self, change: &Change<Seen>) -> Decision<Plan> {
        decide::decide(change)
    }

    async fn apply(&self, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
        apply::apply(&self.inventory, batch).await
    }

    async fn preview(&self, batch: &Batch<Plan>) -> Result<Preview, Fault> {
        let mut trial = Trial::begin(&self.inventory, batch, rows).await?;
        let outcome = apply::write(trial.connection(), batch).await?;
        trial.end(outcome).await
    }

    async fn held(&self, entity: &EntityKey) -> Result<Vec<Held>, Fault> {
        let mut connection = self.inventory.acquire().await?;
        Ok(held::read(&mut connection, &rows(entity)).await?.into_values().collect())
    }

    fn comparisons(&self, source: &Sources<'_>) -> anyhow::Result<Vec<Box<dyn Comparison>>> {
        let commerce = source("commerce")?;
        let between = |projection: Projection| projection.between(commerce.clone(), self.inventory.clone());
        Ok([projection::LOCATION, projection::STOCK_LEVEL].map(between).into())
    }
}

/// The rows that changes of a merchant or of a variant write. A variant's change may make its merchant's default location
/// too, which its key does not name.
fn rows(entity: &EntityKey) -> Vec<Rows> {
    let Some(id) = entity.id() else { return Vec::new() };
    let rows = match entity.topic() {
        Merchant::TOPIC => Rows { table: "location", column: "merchant_id", key: &["id"], id },
        _ => Rows { table: "stock_level", column: "variant_id", key: &["location_id", "variant_id"], id },
    };
    vec![rows]
}
