//! Workers that die in the middle.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bed::Gate;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::day::{ALL, Day, MERCHANT, MERCHANT_TAX, setting};

/// How far merchant-tax's target says that it is, by partition.
pub(crate) async fn frontier(day: &Day) -> BTreeMap<i32, i64> {
    let marks = sqlx::query_as("select partition, next_offset from cdc.frontier where consumer = 'merchant-tax'");
    marks.fetch_all(&day.invoice.pool).await.unwrap().into_iter().collect()
}

/// What a consumer has committed of the merchants, by partition.
pub(crate) async fn committed(day: &Day, consumer: &str) -> BTreeMap<i32, i64> {
    let (groups, group) = (day.groups.clone(), day.group(consumer).to_owned());
    tokio::task::spawn_blocking(move || groups.committed(&group, MERCHANT)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_effect_and_the_commit_of_its_offset() {
    let mut day = Day::begin(1, "kill -9 between effect and offset commit").await;
    let load = day.load();
    let mut worker = day.worker(&ALL);
    let mut between = 0;
    for _ in 0..day.rounds(2) {
        let (before, waited) = (frontier(&day).await, Instant::now());
        while frontier(&day).await == before {
            assert!(waited.elapsed() < Duration::from_mins(1), "nothing was applied for a minute");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        worker.kill().await;
        let (applied, committed) = (frontier(&day).await, committed(&day, MERCHANT_TAX).await);
        between += i32::from(applied.iter().any(|(partition, next)| committed[partition] < *next));
        worker = day.worker(&ALL);
        day.recover().await;
    }
    assert!(between > 0, "no kill hit the moment between an effect and its commit");
    let truth = load.end().await;
    day.end(&truth).await;
    worker.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_an_effect_in_postgres_and_one_in_the_search_engine() {
    let mut day = Day::begin(2, "kill -9 between a Postgres effect and a Typesense effect").await;
    let mut random = StdRng::seed_from_u64(day.seed);
    let url = setting("APP_ENV_TYPESENSE_URL");
    let engine = Gate::before(&url);
    // an import is under way most of the time: its effect is there, or not, and its answer is not
    engine.slow(Duration::from_millis(300));
    day.set("APP_ENV_TYPESENSE_URL", engine.through(&url));
    let load = day.load();
    let mut worker = day.worker(&ALL);
    for _ in 0..day.rounds(2) {
        day.recover().await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..2_000))).await;
        worker.kill().await;
        worker = day.worker(&ALL);
    }
    day.recover().await;
    engine.slow(Duration::ZERO);
    let truth = load.end().await;
    day.end(&truth).await;
    worker.kill().await;
}
