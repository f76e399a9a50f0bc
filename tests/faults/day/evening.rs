//! What is looked at in the evening: every target beside the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use platform::cache_key::merchant_footer;
use sqlx::{ConnectOptions as _, Row as _};

use super::{ALL, CACHE_INVALIDATION, Day, FLEET, INVENTORY_DEFAULTS, MERCHANT_TAX, SEARCH_SYNC, STILLNESS};
use crate::report::{Evening, Report};
use crate::truth::{Document, TaxInfo, Truth};

impl Day {
    /// Waits until the fleet is quiet, compares every target with the truth, and writes the report.
    pub(crate) async fn end(self, truth: &Truth) {
        self.end_with(&ALL, truth).await;
    }

    /// The same where only these consumers ran.
    pub(crate) async fn end_with(self, consumers: &[&str], truth: &Truth) {
        let (mut unread, mut changed) = (self.unread(consumers).await, Instant::now());
        while !unread.is_empty() && changed.elapsed() < STILLNESS {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let later = self.unread(consumers).await;
            if later != unread {
                changed = Instant::now();
            }
            unread = later;
        }
        let (mut evening, mut changed) = (self.look(consumers, truth).await, Instant::now());
        while !evening.is_right(self.parked) && changed.elapsed() < STILLNESS {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let later = self.look(consumers, truth).await;
            if later != evening {
                changed = Instant::now();
            }
            evening = later;
        }
        Report {
            number: self.number,
            fault: self.fault,
            seed: self.seed,
            events: truth.events,
            recovered: self.recovered,
            evening: &evening,
        }
        .write();
        assert!(
            evening.is_right(self.parked),
            "{} (SLUICE_FAULTS_SEED={}): {evening:#?}, and {} parked records are right",
            self.fault,
            self.seed,
            self.parked
        );
        crate::engine::forget(&self.collection).await;
    }

    /// How the targets differ from the truth now.
    pub(crate) async fn look(&self, consumers: &[&str], truth: &Truth) -> Evening {
        let unread = self.unread(consumers).await;
        let mut evening = Evening { behind: unread.values().sum(), ..Evening::default() };
        evening.samples.extend(unread.iter().map(|(partition, records)| format!("{partition}: {records} unread")));
        for consumer in consumers {
            match *consumer {
                MERCHANT_TAX => {
                    evening.differ(MERCHANT_TAX, &truth.tax_infos(), &self.tax_infos(truth).await);
                    evening.regressed = self.regressed(truth).await;
                }
                INVENTORY_DEFAULTS => self.look_at_inventory(truth, &mut evening).await,
                SEARCH_SYNC => {
                    let mut shown = crate::engine::documents(&self.collection).await;
                    shown.retain(|id, _| truth.products.contains_key(id));
                    evening.differ::<Document>(SEARCH_SYNC, &truth.documents(), &shown);
                }
                _ => {
                    let mut stale = BTreeMap::new();
                    for id in &truth.cached {
                        if self.cache.get(&merchant_footer(*id)).await.is_some() {
                            stale.insert(*id, true);
                        }
                    }
                    evening.differ(CACHE_INVALIDATION, &BTreeMap::new(), &stale);
                }
            }
        }
        // another day's row that was made before this group began may lack a large value here: that is right
        let ours: Vec<i64> =
            truth.ever.iter().chain(truth.products.keys()).chain(truth.variants.keys()).copied().collect();
        let parked = sqlx::query_scalar(
            "select consumer || ' parked ' || coalesce(entity, 'a record') || ': ' || cause || ': ' || detail
               from parked_change
              where entity is null or cause not in ('refused', 'follows') or substring(entity from '[0-9]+$')::bigint = any($1) order by id",
        );
        let parked: Vec<String> = parked.bind(ours).fetch_all(&self.backbone.pool).await.unwrap();
        evening.parked = i64::try_from(parked.len()).unwrap();
        evening.samples.extend(parked.into_iter().take(3));
        evening
    }

    /// What the fleet has not committed, by group and partition.
    pub(crate) async fn unread(&self, consumers: &[&str]) -> BTreeMap<String, i64> {
        let (groups, names) = (self.groups.clone(), self.names.clone());
        let asked: Vec<_> = FLEET.into_iter().filter(|(consumer, _)| consumers.contains(consumer)).collect();
        let ask = move || {
            let ends = groups.ends();
            asked.into_iter().flat_map(|(consumer, reads)| groups.behind(&names[consumer], reads, &ends)).collect()
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    pub(crate) async fn tax_infos(&self, truth: &Truth) -> BTreeMap<i64, TaxInfo> {
        let ids: Vec<i64> = truth.ever.iter().copied().collect();
        let rows =
            sqlx::query("select merchant_id, name, tax_name, tax_address from tax_info where merchant_id = any($1)")
                .bind(ids)
                .fetch_all(&self.invoice.pool)
                .await
                .unwrap();
        let row = |row: &sqlx::postgres::PgRow| (row.get(0), (row.get(1), row.get(2), row.get(3)));
        rows.iter().map(row).collect()
    }

    /// How often a merchant's row, or its tombstone, was written at an earlier position than before.
    async fn regressed(&self, truth: &Truth) -> i64 {
        let ids: Vec<i64> = truth.ever.iter().copied().collect();
        sqlx::query_scalar(
            "select count(*) from (
                 select position < lag(position) over (partition by merchant_id order by at) as is_back
                   from written where merchant_id = any($1)) looked
              where is_back",
        )
        .bind(ids)
        .fetch_one(&self.invoice.pool)
        .await
        .unwrap()
    }

    async fn look_at_inventory(&self, truth: &Truth, evening: &mut Evening) {
        let ever: Vec<i64> = truth.ever.iter().copied().collect();
        let found = sqlx::query(
            "select merchant_id, count(*), bool_or(deleted_at is null) from location
              where is_default and merchant_id = any($1) group by merchant_id",
        )
        .bind(ever)
        .fetch_all(&self.inventory.pool)
        .await
        .unwrap();
        evening.doubled += found.iter().filter(|row| row.get::<i64, _>(1) != 1).count();
        let shown: BTreeSet<i64> = found.iter().filter(|row| row.get(2)).map(|row| row.get(0)).collect();
        let as_map = |ids: BTreeSet<i64>| ids.into_iter().map(|id| (id, true)).collect();
        evening.differ("default locations", &as_map(truth.locations()), &as_map(shown));
        let levels = truth.levels();
        let variants: Vec<i64> = levels.keys().copied().collect();
        let found = sqlx::query(
            "select variant_id, count(*), bool_or(deleted_at is null) from stock_level
              where quantity = 0 and variant_id = any($1) group by variant_id",
        )
        .bind(variants)
        .fetch_all(&self.inventory.pool)
        .await
        .unwrap();
        evening.doubled += found.iter().filter(|row| row.get::<i64, _>(1) != 1).count();
        let mut shown: BTreeMap<i64, bool> = found.iter().map(|row| (row.get(0), row.get(2))).collect();
        // one that was gone before it was ever seen has no level, and needs none
        for (variant, is_used) in &levels {
            if !is_used {
                shown.entry(*variant).or_insert(false);
            }
        }
        evening.differ("stock levels", &levels, &shown);
    }
}

/// Every write of `tax_info` and of its tombstones leaves its position in `written`, in the order of the writes.
pub(super) async fn remember_every_write(invoice: &bed::Database) {
    let mut connection = invoice.as_administrator().connect().await.unwrap();
    sqlx::raw_sql(
        "create table written (at bigserial primary key, merchant_id bigint not null, position bigint[] not null);
         create index on written (merchant_id, at);
         grant select on written to invoice;
         create function remember() returns trigger language plpgsql security definer as $$
         begin
             if tg_table_name = 'tombstone' then
                 insert into written (merchant_id, position)
                 values (substring(new.entity from '[0-9]+$')::bigint, array[new.epoch, new.commit_lsn, new.lsn]);
             else
                 insert into written (merchant_id, position)
                 values (new.merchant_id, array[new.cdc_epoch, new.cdc_commit_lsn, new.cdc_lsn]);
             end if;
             return null;
         end $$;
         create trigger remember after insert or update on tax_info for each row execute function remember();
         create trigger remember after insert or update on cdc.tombstone for each row execute function remember();",
    )
    .execute(&mut connection)
    .await
    .unwrap();
}
