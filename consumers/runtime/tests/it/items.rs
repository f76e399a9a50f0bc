//! A small consumer, its row and its target, and how a test makes that target misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use runtime::guard::{self, Guarded};
use runtime::{Batch, Change, Consumer, Decision, Effect, Fault, Outcome, Topic, frontier};
use schemas::{Field, Position, Row as _};
use serde::Deserialize;
use sqlx::PgPool;

use crate::stage::Stage;

pub(crate) const KEY: &str =
    r#"{"type":"record","name":"Key","namespace":"test","fields":[{"name":"id","type":"long"}]}"#;
pub(crate) const VALUE: &str = r#"{"type":"record","name":"Envelope","namespace":"test","fields":[
    {"name":"before","type":["null",{"type":"record","name":"Value","fields":[
        {"name":"id","type":"long"},{"name":"name","type":"string"},{"name":"gone","type":"boolean"}]}],"default":null},
    {"name":"after","type":["null","Value"],"default":null},
    {"name":"source","type":{"type":"record","name":"Source","fields":[
        {"name":"ts_ms","type":"long"},{"name":"snapshot","type":["string","null"],"default":"false"},
        {"name":"db","type":"string"},{"name":"sequence","type":["null","string"],"default":null},
        {"name":"table","type":"string"},{"name":"txId","type":["null","long"],"default":null},
        {"name":"lsn","type":["null","long"],"default":null}]}},
    {"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"],"default":null}]}"#;

/// The row of the test's table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: i64,
    pub(crate) name: Field<String>,
    pub(crate) gone: bool,
}

impl schemas::Row for Item {
    const SERVICE: &'static str = "test";
    const TABLE: &'static str = "public.item";
    const TOPIC: &'static str = "test.public.item";
    type Key = i64;

    fn inherit(&mut self, earlier: Self, at: Position) {
        self.name.inherit(earlier.name, at);
    }

    fn unchanged(&self) -> Vec<&'static str> {
        if self.name.is_unchanged() { vec!["name"] } else { Vec::new() }
    }
}

/// Switches by which a test makes the target misbehave.
#[derive(Default)]
pub(crate) struct Switches {
    pub(crate) down: AtomicBool,
    pub(crate) attempts: AtomicU32,
    pub(crate) slow_ms: AtomicU32,
    /// What was refused before is taken: whatever was wrong with the target is mended.
    pub(crate) mended: AtomicBool,
    /// Batches that were committed.
    pub(crate) applied: AtomicU32,
    /// Each transaction first waits for the lock [`Stage::LOCK`] in the target.
    pub(crate) waits_for_lock: AtomicBool,
    /// Largest number of entities in one batch.
    pub(crate) largest: AtomicU32,
}

/// Writes `item` rows. The name decides the misbehaviour: `refuse` is refused by the target, `park` by the decision,
/// `bug` is a fault that nobody thought of.
pub(crate) struct Items {
    pub(crate) target: PgPool,
    pub(crate) topic: String,
    pub(crate) switches: Arc<Switches>,
}

impl Consumer for Items {
    type Row = Item;
    type Plan = Option<String>;

    fn name(&self) -> &'static str {
        "items"
    }

    fn topics(&self) -> Vec<Topic<Item>> {
        vec![Topic::of::<Item>(|item| item, |item| item.gone).named(&self.topic)]
    }

    fn inherit(row: &mut Item, earlier: Item, at: Position) {
        row.inherit(earlier, at);
    }

    fn home(&self) -> &PgPool {
        &self.target
    }

    fn decide(&self, change: &Change<Item>) -> Decision<Option<String>> {
        match &change.effect {
            Effect::Delete => Decision::Apply(None),
            Effect::Upsert { row, .. } => match row.name.value().map(String::as_str) {
                Some("park") => Decision::Park("the decision refuses it".into()),
                Some("skip") => Decision::Skip("skipped"),
                Some(name) => Decision::Apply(Some(name.to_owned())),
                None => Decision::Park("no name".into()),
            },
        }
    }

    async fn apply(&self, batch: &Batch<Option<String>>) -> Result<Outcome, Fault> {
        self.switches.attempts.fetch_add(1, Ordering::Relaxed);
        let size = u32::try_from(batch.plans.len()).unwrap();
        self.switches.largest.fetch_max(size, Ordering::Relaxed);
        if self.switches.down.load(Ordering::Relaxed) {
            return Err(Fault::Unavailable { reason: "the target is down".into(), retry_after: None });
        }
        tokio::time::sleep(Duration::from_millis(self.switches.slow_ms.load(Ordering::Relaxed).into())).await;
        let has = |name: &str| batch.plans.iter().any(|planned| planned.plan.as_deref() == Some(name));
        if has("bug") {
            return Err(Fault::Unknown(anyhow::anyhow!("nobody thought of this")));
        }
        if has("refuse") && !self.switches.mended.load(Ordering::Relaxed) {
            return Err(Fault::Refused("the target refuses it".into()));
        }
        let mut transaction = self.target.begin().await?;
        if self.switches.waits_for_lock.load(Ordering::Relaxed) {
            let lock = sqlx::query("select pg_advisory_xact_lock($1)").bind(Stage::LOCK);
            lock.execute(&mut *transaction).await?;
        }
        let kept: Vec<_> = batch.plans.iter().filter(|planned| planned.plan.is_some()).collect();
        let deleted: Vec<_> = batch.plans.iter().filter(|planned| planned.plan.is_none()).collect();
        let guarded = Guarded::of(kept.iter().copied());
        sqlx::query(
            "insert into item as t (id, name, writes, cdc_epoch, cdc_commit_lsn, cdc_lsn)
             select i.id, i.name, 1, i.epoch, i.commit_lsn, i.lsn
               from unnest($1::bigint[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[])
                    i (id, name, epoch, commit_lsn, lsn, entity)
              where not exists (select from cdc.tombstone d where d.target = 'item' and d.entity = i.entity
                                   and (d.epoch, d.commit_lsn, d.lsn) > (i.epoch, i.commit_lsn, i.lsn))
             on conflict (id) do update set name = excluded.name, writes = t.writes + 1, cdc_epoch = excluded.cdc_epoch,
                    cdc_commit_lsn = excluded.cdc_commit_lsn, cdc_lsn = excluded.cdc_lsn
              where (excluded.cdc_epoch, excluded.cdc_commit_lsn, excluded.cdc_lsn)
                 >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)",
        )
        .bind(kept.iter().map(|planned| planned.entity.id().unwrap()).collect::<Vec<_>>())
        .bind(kept.iter().map(|planned| planned.plan.clone()).collect::<Vec<_>>())
        .bind(&guarded.positions.epochs)
        .bind(&guarded.positions.commit_lsns)
        .bind(&guarded.positions.lsns)
        .bind(&guarded.entities)
        .execute(&mut *transaction)
        .await?;
        let buried = Guarded::of(deleted.iter().copied());
        guard::bury(&mut *transaction, "item", &buried).await?;
        sqlx::query(
            "delete from item t using unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) i (id, epoch, commit_lsn, lsn)
              where t.id = i.id and (i.epoch, i.commit_lsn, i.lsn) >= (t.cdc_epoch, t.cdc_commit_lsn, t.cdc_lsn)",
        )
        .bind(deleted.iter().map(|planned| planned.entity.id().unwrap()).collect::<Vec<_>>())
        .bind(&buried.positions.epochs)
        .bind(&buried.positions.commit_lsns)
        .bind(&buried.positions.lsns)
        .execute(&mut *transaction)
        .await?;
        if let Some(mark) = &batch.mark {
            frontier::write(&mut *transaction, batch.consumer, mark).await?;
        }
        transaction.commit().await?;
        self.switches.applied.fetch_add(1, Ordering::SeqCst);
        let mut outcome = Outcome::default();
        outcome.count_many(Outcome::APPLIED, batch.plans.len() as u64);
        Ok(outcome)
    }
}
