//! Migrations in mid-stream: what the registry lets through, and what it refuses.

use std::time::{Duration, Instant};

use crate::day::{ALL, Day, MERCHANT, setting};

/// Sets what the registry asks of new versions of the merchants' values.
async fn compatibility(level: &str) {
    let registry = setting("APP_ENV_SCHEMA_REGISTRY_URL");
    let url = format!("{}/config/{MERCHANT}-value", registry.trim_end_matches('/'));
    let body = serde_json::json!({ "compatibility": level });
    reqwest::Client::new().put(url).json(&body).send().await.unwrap().error_for_status().unwrap();
}

/// Whether the connector's task has failed.
async fn has_failed(day: &Day) -> bool {
    day.ask(&["connectors", "status"]).await.1.contains("FAILED")
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_come_and_go_and_a_refused_one_is_let_through_once() {
    let mut day = Day::begin(10, "schema changes in mid-stream, one of them refused").await;
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    for migration in [
        "alter table merchant add column nickname text",
        "alter table merchant add column stars integer",
        "alter table merchant add column grade integer not null default 7",
        "alter table merchant drop column nickname",
    ] {
        load.more(day.events / 8).await;
        day.ask_source(migration).await;
    }
    load.more(day.events / 8).await;
    // whoever reads with the older schema cannot read the wider number
    day.ask_source("alter table merchant alter column stars type bigint").await;
    let began = Instant::now();
    while !has_failed(&day).await {
        assert!(began.elapsed() < Duration::from_mins(1), "the registry let it through");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // the log holds rows of the wider type by now, so the subject must take them once; nobody here reads the column
    compatibility("NONE").await;
    day.sluice(&["connectors", "restart", "commerce", "--failed"]).await;
    day.recover().await;
    compatibility("FULL_TRANSITIVE").await;
    let truth = load.end().await;
    day.ask_source("alter table merchant drop column stars, drop column grade").await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}
