//! Commerce's merchants and variants, carried into inventory's default locations and zero stock levels.
#![doc = include_str!("../README.md")]

mod apply;
mod decide;
mod level;
mod location;

use runtime::{Batch, Change, Consumer, Decision, Fault, Outcome, Topic};
use schemas::commerce::merchant::Merchant;
use schemas::commerce::variant::Variant;
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
    fn inherit(_: &mut Seen, _: Seen) {}

    fn home(&self) -> &PgPool {
        &self.inventory
    }

    fn decide(&self, change: &Change<Seen>) -> Decision<Plan> {
        decide::decide(change)
    }

    async fn apply(&self, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
        apply::apply(&self.inventory, batch).await
    }
}
