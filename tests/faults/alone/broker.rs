//! The broker itself.

use std::time::Duration;

use crate::day::{ALL, Day};
use crate::server;

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again() {
    let mut day = Day::begin(13, "broker killed and restarted").await;
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    for _ in 0..day.rounds(1) {
        load.more(day.events / 4).await;
        server::kill("kafka").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        server::bring_back().await;
        day.recover().await;
    }
    let truth = load.end().await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}
