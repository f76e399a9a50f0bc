//! How long a single change takes from the API to each target, measured when nothing else is under way: written one
//! after the other, each target asked every three milliseconds until it shows the change. Every change is taken back by
//! the next, so that the catalogue stays as it was.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgExecutor;

use super::api::{Api, accepted};
use super::survey::{Known, Product};
use super::targets::Targets;

/// How many rows are changed, each there and back.
const ROWS: usize = 20;
const POLL: Duration = Duration::from_millis(3);
const PATIENCE: Duration = Duration::from_secs(30);

/// One change: how long the API took, and how long after its answer the target showed it.
struct Sample {
    answer: Duration,
    visible: Duration,
}

/// Measures, and prints a line for each target.
pub(super) async fn measure(api: &Api, targets: &Targets, known: &[Known]) -> anyhow::Result<()> {
    let merchants: Vec<i64> = known.iter().filter_map(|known| known.merchant).take(ROWS).collect();
    let mut products: Vec<&Product> = known.iter().flat_map(|known| known.live.values()).collect();
    products.sort_by_key(|product| product.id);
    products.truncate(ROWS);
    println!("\nOne change at a time ({} for each target, asked every {} ms):", 2 * ROWS, POLL.as_millis());
    println!("  {:<26} {:>22}   {:>22}   {:>9}", "", "after the API's answer", "from sending it", "slowest");
    println!("  {:<26} {:>10} {:>11}   {:>10} {:>11}", "", "p50", "p99", "p50", "p99");
    report("invoice tax_info", &tax_info(api, targets, &merchants).await?);
    report("search document", &documents(api, targets, &products).await?);
    report("inventory stock_level", &levels(api, targets, &products).await?);
    println!("  With {} samples p99 is the slowest one.", 2 * ROWS);
    Ok(())
}

async fn tax_info(api: &Api, targets: &Targets, merchants: &[i64]) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for id in merchants {
        let path = format!("/merchants/{id}");
        let mut merchant = api.get(&path).await?.body;
        let before = merchant["tax_address"].clone();
        let other = json!(format!("{} (tầng 2)", before.as_str().unwrap_or_default()));
        for address in [other, before] {
            let sent = Instant::now();
            merchant = patch(api, &path, &merchant, &json!({"tax_address": address})).await?;
            let shows = async || Ok(tax_address(&targets.invoice, *id).await?.as_deref() == address.as_str());
            samples.push(sample(sent, shows).await?);
        }
    }
    Ok(samples)
}

async fn documents(api: &Api, targets: &Targets, products: &[&Product]) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for id in products.iter().map(|product| product.id) {
        let path = format!("/products/{id}");
        let mut product = api.get(&path).await?.body;
        let variant = product["variants"][0]["id"].clone();
        let before = product["variants"][0]["price"].as_i64().context("a variant has no price")?;
        for price in [before + 500, before] {
            let sent = Instant::now();
            product = patch(api, &path, &product, &json!({"variants": [{"id": variant, "price": price}]})).await?;
            let version = product["version"].as_i64();
            let shows = async || Ok(targets.document_version(id).await? >= version);
            samples.push(sample(sent, shows).await?);
        }
    }
    Ok(samples)
}

async fn levels(api: &Api, targets: &Targets, products: &[&Product]) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for product in products {
        let path = format!("/products/{}", product.id);
        let version = api.get(&path).await?.body["version"].as_i64().unwrap_or_default();
        for gone in [true, false] {
            let (method, path, version) = if gone {
                (Method::DELETE, path.clone(), version)
            } else {
                (Method::POST, format!("{path}/restore"), version + 1)
            };
            let sent = Instant::now();
            accepted(api.change_tagged(method, &path, &format!("\"{version}\""), None).await?).await?;
            let variants = product.variants.as_slice();
            let shows = async || Ok(levels_are(&targets.inventory, variants, gone).await?);
            samples.push(sample(sent, shows).await?);
        }
    }
    Ok(samples)
}

async fn patch(api: &Api, path: &str, current: &Value, body: &Value) -> anyhow::Result<Value> {
    let tag = format!("\"{}\"", current["version"]);
    Ok(accepted(api.change_tagged(Method::PATCH, path, &tag, Some(body)).await?).await?.json().await?)
}

/// Waits until the target shows what the API has just acknowledged.
async fn sample(sent: Instant, shows: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<Sample> {
    let answered = Instant::now();
    loop {
        if shows().await? {
            return Ok(Sample { answer: answered - sent, visible: answered.elapsed() });
        }
        if answered.elapsed() > PATIENCE {
            bail!("a change was not seen within {} s; look at `make status`", PATIENCE.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
}

fn report(target: &str, samples: &[Sample]) {
    let mut visible: Vec<Duration> = samples.iter().map(|sample| sample.visible).collect();
    let mut whole: Vec<Duration> = samples.iter().map(|sample| sample.visible + sample.answer).collect();
    visible.sort_unstable();
    whole.sort_unstable();
    let shown = |sorted: &[Duration], percent| format!("{:.1} ms", percentile(sorted, percent).as_secs_f64() * 1e3);
    println!(
        "  {target:<26} {:>10} {:>11}   {:>10} {:>11}   {:>9}",
        shown(&visible, 50),
        shown(&visible, 99),
        shown(&whole, 50),
        shown(&whole, 99),
        shown(&whole, 100),
    );
}

/// By nearest rank.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

async fn tax_address(executor: impl PgExecutor<'_>, merchant: i64) -> sqlx::Result<Option<String>> {
    let sql = "select tax_address from tax_info where merchant_id = $1";
    Ok(sqlx::query_scalar(sql).bind(merchant).fetch_optional(executor).await?.flatten())
}

/// Whether every variant has a level that is gone or not.
async fn levels_are(executor: impl PgExecutor<'_>, variants: &[i64], gone: bool) -> sqlx::Result<bool> {
    let sql = "select not exists (
                   select from unnest($1::bigint[]) v (id)
                    where not exists (select from stock_level l
                                       where l.variant_id = v.id and (l.deleted_at is not null) = $2))";
    sqlx::query_scalar(sql).bind(variants).bind(gone).fetch_one(executor).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let sorted: Vec<Duration> = (1..=40).map(Duration::from_millis).collect();
        let at = |percent| percentile(&sorted, percent).as_millis();
        assert_eq!((at(50), at(99), at(100)), (20, 40, 40));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
