//! What the tests stand on: a database of their own, changes made by hand, and what inventory holds.

use std::collections::BTreeMap;

use inventory_defaults::{InventoryDefaults, NAME, Plan, Seen};
use runtime::frontier::{Fingerprint, Mark};
use runtime::{Batch, Change, Consumer as _, Coordinates, Decision, Effect, EntityKey, Outcome, Planned};
use schemas::commerce::{merchant, variant};
use schemas::{Position, Row as _};

/// A consumer on a database of its own.
pub(crate) struct Stand {
    pub(crate) database: bed::Database,
    pub(crate) consumer: InventoryDefaults,
}

/// What a test looks at of a location.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Location {
    pub(crate) id: i64,
    pub(crate) merchant_id: i64,
    pub(crate) is_default: bool,
    pub(crate) created_by: Option<i64>,
    pub(crate) gone: bool,
    pub(crate) version: i64,
    pub(crate) lsn: i64,
}

/// What a test looks at of a level.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Level {
    pub(crate) location_id: i64,
    pub(crate) variant_id: i64,
    pub(crate) merchant_id: i64,
    pub(crate) product_id: i64,
    pub(crate) quantity: String,
    pub(crate) gone: bool,
    pub(crate) version: i64,
    pub(crate) lsn: i64,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        let database = bed::database("inventory").await;
        let consumer = InventoryDefaults::new(database.pool.clone());
        Self { database, consumer }
    }

    /// Decides and applies changes as one batch, with a mark.
    pub(crate) async fn apply(&self, changes: &[Change<Seen>]) -> Outcome {
        self.consumer.apply(&self.batch(changes)).await.unwrap()
    }

    pub(crate) fn batch(&self, changes: &[Change<Seen>]) -> Batch<Plan> {
        let mut plans: Vec<_> = changes
            .iter()
            .map(|change| {
                let Decision::Apply(plan) = self.consumer.decide(change) else { panic!("{change:?} is not applied") };
                let (entity, coordinates) = (change.entity.clone(), change.coordinates.clone());
                Planned { entity, position: change.position, coordinates, plan }
            })
            .collect();
        plans.sort_unstable_by(|a, b| a.entity.cmp(&b.entity));
        let fingerprint = Fingerprint::of(1, None, None);
        let mark = Mark { topic: "commerce.public.variant".into(), partition: 0, next_offset: 8, fingerprint };
        Batch { consumer: NAME, plans, mark: Some(mark) }
    }

    pub(crate) async fn locations(&self) -> Vec<Location> {
        sqlx::query_as(
            "select id, merchant_id, is_default, created_by, deleted_at is not null as gone, version, cdc_lsn as lsn
               from location order by merchant_id, id",
        )
        .fetch_all(&self.database.pool)
        .await
        .unwrap()
    }

    pub(crate) async fn levels(&self) -> Vec<Level> {
        sqlx::query_as(
            "select location_id, variant_id, merchant_id, product_id, trim_scale(quantity)::text as quantity,
                    deleted_at is not null as gone, version, cdc_lsn as lsn
               from stock_level order by variant_id, location_id",
        )
        .fetch_all(&self.database.pool)
        .await
        .unwrap()
    }

    pub(crate) async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.database.pool).await.unwrap();
    }
}

/// How often each outcome was counted.
pub(crate) fn counts(outcome: &Outcome) -> BTreeMap<&'static str, u64> {
    outcome.iter().map(|(name, count)| (name, count.entities)).collect()
}

/// Merchant `id` stands at `lsn`, created by user 900.
pub(crate) fn merchant(lsn: u64, id: i64) -> Change<Seen> {
    change(merchant::Merchant::TOPIC, lsn, id, upsert(Seen::Merchant { id, created_by: 900, gone: false }))
}

/// Merchant `id` is gone at `lsn`.
pub(crate) fn no_merchant(lsn: u64, id: i64) -> Change<Seen> {
    change(merchant::Merchant::TOPIC, lsn, id, Effect::Delete)
}

/// Variant `id` of the merchant stands at `lsn`.
pub(crate) fn variant(lsn: u64, id: i64, merchant_id: i64) -> Change<Seen> {
    let row = Seen::Variant { id, product_id: 7000 + id, merchant_id, gone: false };
    change(variant::Variant::TOPIC, lsn, id, upsert(row))
}

/// Variant `id` is gone at `lsn`.
pub(crate) fn no_variant(lsn: u64, id: i64) -> Change<Seen> {
    change(variant::Variant::TOPIC, lsn, id, Effect::Delete)
}

fn upsert(row: Seen) -> Effect<Seen> {
    Effect::Upsert { row, update: false }
}

fn change(topic: &str, lsn: u64, id: i64, effect: Effect<Seen>) -> Change<Seen> {
    Change {
        entity: EntityKey::new(topic.into(), &id.to_string()),
        coordinates: Coordinates { topic: topic.into(), partition: 0, offset: 7 },
        position: Position { epoch: 0, commit_lsn: lsn, lsn },
        committed_ms: 0,
        effect,
    }
}
