//! Drops from Redis, then writes the mark: at least once.

use std::collections::BTreeSet;
use std::time::Duration;

use platform::cache_key;
use platform::redis::Cache;
use runtime::{Batch, Difference, Fault, Held, Outcome, Preview, frontier};
use serde_json::json;
use sqlx::PgPool;

use crate::decide::Plan;

/// How soon a Redis that did not answer is asked again: for that long the cache leaves it alone anyway.
const AGAIN: Duration = Duration::from_secs(1);
/// How many keys one command names at most, so that it is done within the cache's patience.
const KEYS: usize = 500;

/// Drops what a batch made wrong, each thing once, and remembers how far that is.
pub(crate) async fn apply(cache: &Cache, backbone: &PgPool, batch: &Batch<Plan>) -> Result<Outcome, Fault> {
    let wanted = Wanted::of(batch);
    if wanted.decisions {
        drop_decisions(cache).await?;
    }
    let footers: Vec<String> = wanted.footers.into_iter().map(cache_key::merchant_footer).collect();
    forget(cache, &footers).await?;
    if wanted.every_footer {
        drop_every_footer(cache).await?;
    }
    // After the effect: a mark that came first would lose what was dropped by nobody.
    if let Some(mark) = &batch.mark {
        frontier::write(backbone, batch.consumer, mark).await?;
    }
    let mut outcome = Outcome::default();
    for planned in &batch.plans {
        outcome.count(Outcome::APPLIED, planned.entity.key());
    }
    Ok(outcome)
}

/// A batch, coalesced.
#[derive(Default)]
struct Wanted {
    decisions: bool,
    footers: BTreeSet<i64>,
    every_footer: bool,
}

impl Wanted {
    fn of(batch: &Batch<Plan>) -> Self {
        let mut wanted = Self::default();
        for planned in &batch.plans {
            match planned.plan {
                Plan::Decisions => wanted.decisions = true,
                Plan::Footer { merchant_id } => {
                    wanted.footers.insert(merchant_id);
                }
                Plan::Footers => wanted.every_footer = true,
            }
        }
        wanted
    }
}

/// What a batch would drop of what is there now.
pub(crate) async fn preview(cache: &Cache, batch: &Batch<Plan>) -> Result<Preview, Fault> {
    let (wanted, mut preview) = (Wanted::of(batch), Preview::default());
    if wanted.decisions {
        let generation = look(cache, cache_key::AUTHZ_GENERATION).await?;
        let next = Held { content: json!("a later one"), ..named(cache_key::AUTHZ_GENERATION) };
        preview.differences.extend(Difference::of(generation, Some(next)));
    }
    let mut keys: Vec<String> = wanted.footers.into_iter().map(cache_key::merchant_footer).collect();
    if wanted.every_footer {
        keys = every_footer(cache).await?;
    }
    for key in keys {
        preview.differences.extend(Difference::of(look(cache, &key).await?, None));
    }
    for planned in &batch.plans {
        preview.outcome.count(Outcome::APPLIED, planned.entity.key());
    }
    Ok(preview)
}

/// What is cached under a key.
pub(crate) async fn look(cache: &Cache, key: &str) -> Result<Option<Held>, Fault> {
    let value: Option<String> = cache.run("get", redis::cmd("GET").arg(key)).await.ok_or_else(unavailable)?;
    Ok(value.map(|value| Held { content: json!(value), ..named(key) }))
}

fn named(key: &str) -> Held {
    Held { name: key.to_owned(), position: None, content: json!(null) }
}

/// Begins a new generation of decisions and says so. Decisions of earlier ones are never asked for again and expire.
async fn drop_decisions(cache: &Cache) -> Result<(), Fault> {
    let mut announce = redis::cmd("EVAL");
    announce.arg(ANNOUNCE).arg(1).arg(cache_key::AUTHZ_GENERATION).arg(cache_key::AUTHZ_CHANNEL);
    cache.run::<i64>("announce", &announce).await.map(drop).ok_or_else(unavailable)
}

/// The next generation: one more than the last, and no less than the time in milliseconds. So it never comes back to a
/// number that had decisions, not even in a Redis that was emptied or restored from an old copy. The number is there
/// before the message, for who hears of it looks.
const ANNOUNCE: &str = "
local now = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
local next = string.format('%.0f', math.max(last + 1, now[1] * 1000 + math.floor(now[2] / 1000)))
redis.call('SET', KEYS[1], next)
redis.call('PUBLISH', ARGV[1], next)
return tonumber(next)";

async fn forget(cache: &Cache, keys: &[String]) -> Result<(), Fault> {
    for keys in keys.chunks(KEYS) {
        if !cache.forget(keys).await {
            return Err(unavailable());
        }
    }
    Ok(())
}

async fn drop_every_footer(cache: &Cache) -> Result<(), Fault> {
    forget(cache, &every_footer(cache).await?).await
}

/// Walks over all of Redis: slow, and as rare as a row that somebody deletes by hand.
async fn every_footer(cache: &Cache) -> Result<Vec<String>, Fault> {
    let (mut cursor, mut found) = (0_u64, Vec::new());
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(cache_key::MERCHANT_FOOTERS).arg("COUNT").arg(KEYS);
        let (next, keys): (u64, Vec<String>) = cache.run("scan", &scan).await.ok_or_else(unavailable)?;
        found.extend(keys);
        if next == 0 {
            return Ok(found);
        }
        cursor = next;
    }
}

fn unavailable() -> Fault {
    Fault::Unavailable { reason: "redis does not answer".to_owned(), retry_after: Some(AGAIN) }
}
