//! Connect and its connector: killed in the middle, and made to read tables again.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::day::{ALL, Day, INVENTORY_DEFAULTS, MERCHANT_TAX, SEARCH_SYNC, setting};
use crate::server;

/// Asks Connect for something that only its own interface does.
async fn ask(method: reqwest::Method, path: &str) {
    let url = format!("{}/connectors/commerce{path}", setting("APP_ENV_CONNECT_URL").trim_end_matches('/'));
    for _ in 0..100 {
        let answer = reqwest::Client::new().request(method.clone(), &url).send().await.unwrap();
        // a connector that still stops refuses to forget its offsets
        if answer.status().is_success() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("Connect did not do {method} {path}");
}

/// Stops the connector.
pub(super) async fn stop() {
    ask(reqwest::Method::PUT, "/stop").await;
}

/// Stops the connector and lets it forget where it was: it begins with a snapshot of every table.
pub(super) async fn forget_offsets() {
    stop().await;
    ask(reqwest::Method::DELETE, "/offsets").await;
}

/// Lets a connector that was stopped go on.
pub(super) async fn resume() {
    ask(reqwest::Method::PUT, "/resume").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_copy_of_many_rows() {
    let mut day = Day::begin(4, "Connect killed in the middle of a COPY (rows sharing an LSN)").await;
    let mut random = StdRng::seed_from_u64(day.seed);
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let mut truth = crate::truth::Truth::default();
    for _ in 0..day.rounds(1) {
        let load = day.load_after(truth);
        load.more(day.events / 4).await;
        let copied = day.copy_merchants(5_000).await;
        tokio::time::sleep(Duration::from_millis(random.random_range(20..400))).await;
        server::kill("connect").await;
        server::bring_back().await;
        day.recover().await;
        truth = load.end().await;
        for change in copied {
            truth.apply(change);
        }
    }
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn incremental_snapshots_among_live_changes_and_a_second_initial_one() {
    let mut day = Day::begin(7, "an incremental snapshot among live changes, then a second initial one").await;
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    for _ in 0..day.rounds(1) {
        load.more(day.events / 4).await;
        for table in ["commerce.merchant", "commerce.variant"] {
            day.sluice(&["connectors", "snapshot", table]).await;
        }
        load.more(day.events / 4).await;
        // the snapshot is where it begins again: what was deleted since the last confirmed position is in neither
        forget_offsets().await;
        load.more(day.events / 8).await;
        resume().await;
        day.recover().await;
    }
    let truth = load.end().await;
    let compared = [MERCHANT_TAX, INVENTORY_DEFAULTS, SEARCH_SYNC];
    day.read_to_the_end(&ALL).await;
    for consumer in compared {
        day.repair(consumer).await;
    }
    // a footer of a merchant that is gone for good is dropped by nothing but its time to live
    day.end_with(&compared, &truth).await;
    for worker in workers {
        worker.kill().await;
    }
}
