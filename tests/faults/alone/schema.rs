//! Migrations in mid-stream: what the registry lets through, and what it refuses.

use std::time::{Duration, Instant};

use crate::day::{ALL, Day};

/// Whether the connector's task has failed.
async fn has_failed(day: &Day) -> bool {
    day.ask(&["connectors", "status"]).await.1.contains("FAILED")
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_come_and_go_and_a_refused_change_is_mended_by_expanding_first() {
    let mut day = Day::begin(10, "schema changes in mid-stream, one of them refused").await;
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    for migration in [
        "alter table merchant add column nickname text",
        "alter table merchant add column stars integer not null default 0",
        "alter table merchant drop column nickname",
    ] {
        load.more(day.events / 8).await;
        day.ask_source(migration).await;
    }
    load.more(day.events / 8).await;
    // a column that older records do not have, and for which there is no value to read instead
    day.ask_source("alter table merchant alter column stars drop default").await;
    let began = Instant::now();
    while !has_failed(&day).await {
        assert!(began.elapsed() < Duration::from_mins(1), "the registry let it through");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // expand first: with the default back, the table is what older readers can read
    day.ask_source("alter table merchant alter column stars set default 0").await;
    day.sluice(&["connectors", "restart", "commerce", "--failed"]).await;
    day.recover().await;
    let truth = load.end().await;
    day.ask_source("alter table merchant drop column stars").await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}
