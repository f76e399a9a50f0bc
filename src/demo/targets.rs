//! What has arrived where, asked of the targets themselves.

use std::time::Duration;

use anyhow::Context as _;
use platform::postgres::{self, PoolSettings};
use platform::service::Service;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sqlx::{PgExecutor, PgPool};

use super::api::accepted;
use super::ledger::Effects;
use super::settings::Settings;

/// How many ids one search names: the engine answers 250 documents at most.
const IDS_AT_ONCE: usize = 200;

/// The databases and the search engine.
pub(super) struct Targets {
    admin: PgPool,
    pub(super) invoice: PgPool,
    pub(super) inventory: PgPool,
    http: reqwest::Client,
    typesense: String,
    key: SecretString,
    collection: String,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Rows of `tax_info`.
    TaxInfo,
    /// Default locations.
    Locations,
    /// Levels that are not deleted.
    Levels,
    /// Documents of those merchants.
    Documents,
    /// Rows of `tax_info` that have the new name.
    TaxNames,
    /// Documents of the new version, or a later one.
    Prices,
    /// Deleted products of which all levels are deleted.
    GoneLevels,
    /// Deleted products without a document.
    GoneDocuments,
    /// Restored products with a document.
    BackDocuments,
}

impl Targets {
    pub(super) fn new(http: reqwest::Client, settings: &Settings) -> anyhow::Result<Self> {
        let pool = |url: &SecretString| {
            // patient: while the machine is busy with the bulk, a connection can take longer than a shell would wait
            let settings =
                PoolSettings { acquire_timeout: Duration::from_secs(30), ..PoolSettings::named("sluice-demo") };
            postgres::connect(url.expose_secret(), &settings.max_connections(2))
        };
        Ok(Self {
            admin: pool(&settings.admin_url)?,
            invoice: pool(&settings.invoice_url)?,
            inventory: pool(&settings.inventory_url)?,
            http,
            typesense: settings.typesense_url.as_str().trim_end_matches('/').to_owned(),
            key: settings.typesense_key.clone(),
            collection: settings.collection.clone(),
        })
    }

    /// Where Postgres' log ends, and up to where Debezium has confirmed it, in bytes.
    pub(super) async fn log_positions(&self) -> anyhow::Result<(i64, i64)> {
        let slot = format!("sluice_{}", Service::COMMERCE.topic_prefix);
        let found = log_positions(&self.admin, &slot).await?;
        found.with_context(|| format!("there is no replication slot {slot}: type `sluice connectors apply`"))
    }

    /// How much of it has arrived.
    pub(super) async fn count(&self, what: What, effects: &Effects) -> anyhow::Result<u64> {
        let merchants = effects.merchants.as_slice();
        let counted = match what {
            What::TaxInfo => tax_info(&self.invoice, merchants).await?,
            What::Locations => locations(&self.inventory, merchants).await?,
            What::Levels => levels(&self.inventory, merchants).await?,
            What::TaxNames => tax_names(&self.invoice, &effects.tax_names).await?,
            What::GoneLevels => gone_levels(&self.inventory, &effects.gone).await?,
            What::Documents if merchants.is_empty() => 0,
            What::Documents => return self.found(&format!("merchant_id:[{}]", comma_separated(merchants))).await,
            What::Prices => return self.versions(&effects.repriced).await,
            What::GoneDocuments => {
                return Ok((effects.gone.len() as u64).saturating_sub(self.present(&effects.gone).await?));
            }
            What::BackDocuments => return self.present(&effects.back).await,
        };
        Ok(u64::try_from(counted)?)
    }

    async fn present(&self, products: &[i64]) -> anyhow::Result<u64> {
        let mut present = 0;
        for ids in products.chunks(IDS_AT_ONCE) {
            present += self.found(&format!("id:[{}]", comma_separated(ids))).await?;
        }
        Ok(present)
    }

    async fn versions(&self, wanted: &[(i64, i64)]) -> anyhow::Result<u64> {
        let mut arrived = 0;
        for wanted in wanted.chunks(IDS_AT_ONCE) {
            let ids: Vec<i64> = wanted.iter().map(|(id, _)| *id).collect();
            let found = self.search(&format!("id:[{}]", comma_separated(&ids)), "*", IDS_AT_ONCE).await?;
            let has = |id: i64, version: i64| {
                let id = id.to_string();
                let documents = found["hits"].as_array().into_iter().flatten().map(|hit| &hit["document"]);
                let mut mine = documents.filter(|document| document["id"].as_str() == Some(id.as_str()));
                mine.any(|document| document["version"].as_i64().is_some_and(|seen| seen >= version))
            };
            arrived += wanted.iter().filter(|(id, version)| has(*id, *version)).count() as u64;
        }
        Ok(arrived)
    }

    async fn found(&self, filter: &str) -> anyhow::Result<u64> {
        self.search(filter, "*", 0).await?["found"].as_u64().context("the search engine counted nothing")
    }

    /// What the engine finds. The question travels in a body: a list of ids is too long for an address.
    pub(super) async fn search(&self, filter: &str, q: &str, per_page: usize) -> anyhow::Result<Value> {
        let body = json!({"searches": [{
            "collection": self.collection, "q": q, "query_by": "name,name_folded", "filter_by": filter,
            "per_page": per_page, "include_fields": "id,version,name,merchant_name,price_min,price_max,price_band",
        }]});
        let url = format!("{}/multi_search", self.typesense);
        let request = self.http.post(url).header("x-typesense-api-key", self.key.expose_secret()).json(&body);
        let mut answer: Value = accepted(request.send().await?).await?.json().await?;
        let result = answer["results"][0].take();
        // search-sync makes the collection when it starts, which may be after this began to look
        if result["code"] == 404 {
            return Ok(json!({"found": 0, "hits": []}));
        }
        anyhow::ensure!(result["found"].is_u64(), "the search engine answered {result}");
        Ok(result)
    }

    /// The version of a product's document.
    pub(super) async fn document_version(&self, product: i64) -> anyhow::Result<Option<i64>> {
        let url = format!("{}/collections/{}/documents/{product}", self.typesense, self.collection);
        let request = self.http.get(url).header("x-typesense-api-key", self.key.expose_secret());
        let response = request.send().await?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(accepted(response).await?.json::<Value>().await?["version"].as_i64())
    }
}

fn comma_separated(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

async fn log_positions(executor: impl PgExecutor<'_>, slot: &str) -> sqlx::Result<Option<(i64, i64)>> {
    sqlx::query_as(
        "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint,
                pg_wal_lsn_diff(confirmed_flush_lsn, '0/0')::bigint
         from pg_replication_slots where slot_name = $1",
    )
    .bind(slot)
    .fetch_optional(executor)
    .await
}

async fn tax_info(executor: impl PgExecutor<'_>, merchants: &[i64]) -> sqlx::Result<i64> {
    let sql = "select count(*) from tax_info where merchant_id = any($1)";
    sqlx::query_scalar(sql).bind(merchants).fetch_one(executor).await
}

async fn tax_names(executor: impl PgExecutor<'_>, wanted: &[(i64, String)]) -> sqlx::Result<i64> {
    let (ids, names): (Vec<i64>, Vec<&str>) = wanted.iter().map(|(id, name)| (*id, name.as_str())).unzip();
    let sql = "select count(*) from unnest($1::bigint[], $2::text[]) w (merchant_id, tax_name)
               join tax_info t using (merchant_id, tax_name)";
    sqlx::query_scalar(sql).bind(ids).bind(names).fetch_one(executor).await
}

async fn locations(executor: impl PgExecutor<'_>, merchants: &[i64]) -> sqlx::Result<i64> {
    let sql = "select count(*) from location where merchant_id = any($1) and is_default and deleted_at is null";
    sqlx::query_scalar(sql).bind(merchants).fetch_one(executor).await
}

async fn levels(executor: impl PgExecutor<'_>, merchants: &[i64]) -> sqlx::Result<i64> {
    let sql = "select count(*) from stock_level where merchant_id = any($1) and deleted_at is null";
    sqlx::query_scalar(sql).bind(merchants).fetch_one(executor).await
}

async fn gone_levels(executor: impl PgExecutor<'_>, products: &[i64]) -> sqlx::Result<i64> {
    // the products' merchants are not named, so this reads the whole table: it is a demonstration's
    let sql = "select count(*) from (
                   select product_id from stock_level where product_id = any($1)
                   group by product_id having bool_and(deleted_at is not null)) gone";
    sqlx::query_scalar(sql).bind(products).fetch_one(executor).await
}
