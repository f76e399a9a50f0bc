//! Merchants' tax metadata, carried into invoice's `tax_info`.
#![doc = include_str!("../README.md")]

mod apply;
mod complete;
mod decide;
mod projection;
mod upsert;

use runtime::preview::Trial;
use runtime::{
    Batch, Change, Comparison, Consumer, Decision, EntityKey, Fault, Held, Outcome, Preview, Rows, Sources, Topic, held,
};
use schemas::commerce::merchant::Merchant;
use schemas::{Position, Row as _};
use sqlx::PgPool;

pub use decide::{Plan, TaxInfo};

/// The consumer's name: crate, group, subcommand argument, metric label.
pub const NAME: &str = "merchant-tax";

/// How the outcome of an update that changes nothing of a merchant's tax is counted.
pub const UNCHANGED: &str = "tax-unchanged";

/// The consumer.
#[derive(Debug, Clone)]
pub struct MerchantTax {
    invoice: PgPool,
}

impl MerchantTax {
    /// A consumer that writes this invoice database.
    #[must_use]
    pub fn new(invoice: PgPool) -> Self {
        Self { invoice }
    }
}

impl Consumer for MerchantTax {
    type Row = Merchant;
    type Plan = Plan;

    fn name(&self) -> &'static str {
        NAME
    }

    fn topics(&self) -> Vec<Topic<Merchant>> {
        vec![Topic::of::<Merchant>(|merchant| merchant, |merchant| merchant.deleted_at.is_some())]
    }

    fn inherit(merchant: &mut Merchant, earlier: Merchant, at: Position) {
        merchant.inherit(earlier, at);
    }

    fn home(&self) -> &PgPool {
        &self.invoice
    }

    fn decide(&self, change: &Change<Merchant>) -> Decision<Plan> {
        decide::decide(change)
    }

    async fn apply(&self, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
        apply::apply(&self.invoice, batch).await
    }

    async fn preview(&self, batch: &Batch<Plan>) -> Result<Preview, Fault> {
        let mut trial = Trial::begin(&self.invoice, batch, rows).await?;
        let outcome = apply::write(trial.connection(), batch).await?;
        trial.end(outcome).await
    }

    async fn held(&self, entity: &EntityKey) -> Result<Vec<Held>, Fault> {
        let mut connection = self.invoice.acquire().await?;
        Ok(held::read(&mut connection, &rows(entity)).await?.into_values().collect())
    }

    fn comparisons(&self, source: &Sources<'_>) -> anyhow::Result<Vec<Box<dyn Comparison>>> {
        Ok(vec![projection::TAX_INFO.between(source("commerce")?, self.invoice.clone())])
    }
}

/// The row that changes of a merchant write.
fn rows(merchant: &EntityKey) -> Vec<Rows> {
    let row = |id| Rows { table: "tax_info", column: "merchant_id", key: &["merchant_id"], id };
    merchant.id().map(row).into_iter().collect()
}
