//! What is cached in Redis and became wrong, dropped the moment its source changed.
#![doc = include_str!("../README.md")]

mod apply;
mod decide;

use platform::cache_key;
use platform::redis::Cache;
use runtime::{Batch, Change, Consumer, Decision, EntityKey, Fault, Held, Outcome, Preview, Topic};
use schemas::commerce::category::Category;
use schemas::commerce::merchant::Merchant;
use schemas::commerce::product::Product;
use schemas::identity::policy::Policy;
use schemas::identity::role::Role;
use schemas::{Position, Row as _};
use sqlx::PgPool;

pub use decide::{Plan, Seen};

/// The consumer's name: crate, group, subcommand argument, metric label.
pub const NAME: &str = "cache-invalidation";

/// The consumer.
#[derive(Clone)]
pub struct CacheInvalidation {
    cache: Cache,
    backbone: PgPool,
}

impl CacheInvalidation {
    /// A consumer that drops from this cache and keeps its positions in the control database.
    #[must_use]
    pub fn new(cache: Cache, backbone: PgPool) -> Self {
        Self { cache, backbone }
    }
}

impl Consumer for CacheInvalidation {
    type Row = Seen;
    type Plan = Plan;

    fn name(&self) -> &'static str {
        NAME
    }

    /// No row counts as gone here, deleted or not: what a soft deleted row says of its merchant is needed to know whose
    /// summary it was in, and dropping is all that is ever done.
    fn topics(&self) -> Vec<Topic<Seen>> {
        vec![
            Topic::of::<Role>(|_| Seen::Permission, |_| false),
            Topic::of::<Policy>(|_| Seen::Permission, |_| false),
            Topic::of::<Merchant>(|merchant| Seen::Of { merchant_id: merchant.id }, |_| false),
            Topic::of::<Category>(|category| Seen::Of { merchant_id: category.merchant_id }, |_| false),
            Topic::of::<Product>(|product| Seen::Of { merchant_id: product.merchant_id }, |_| false),
        ]
    }

    /// Nothing to complete: an id is in every change.
    fn inherit(_: &mut Seen, _: Seen, _: Position) {}

    fn home(&self) -> &PgPool {
        &self.backbone
    }

    fn decide(&self, change: &Change<Seen>) -> Decision<Plan> {
        decide::decide(change)
    }

    async fn apply(&self, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
        apply::apply(&self.cache, &self.backbone, batch).await
    }

    async fn preview(&self, batch: &Batch<Plan>) -> Result<Preview, Fault> {
        apply::preview(&self.cache, batch).await
    }

    /// A merchant's footer, and the generation of decisions for roles and policies. Of a category or product, its key does
    /// not say whose footer it is in.
    async fn held(&self, entity: &EntityKey) -> Result<Vec<Held>, Fault> {
        let key = match (entity.topic(), entity.id()) {
            (Role::TOPIC | Policy::TOPIC, _) => cache_key::AUTHZ_GENERATION.to_owned(),
            (Merchant::TOPIC, Some(merchant)) => cache_key::merchant_footer(merchant),
            _ => return Ok(Vec::new()),
        };
        Ok(apply::look(&self.cache, &key).await?.into_iter().collect())
    }
}
