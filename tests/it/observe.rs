//! What the observer says of the real servers, and of those that do not answer.

use std::collections::BTreeMap;

use backbone::eventually;
use backbone::process::Process;
use bed::Gate;

use crate::alerts::root;

/// The gauges and counters of a process, by name and labels as they are written.
pub(crate) async fn metrics(port: u16) -> BTreeMap<String, f64> {
    let Ok(answer) = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await else { return BTreeMap::new() };
    let text = answer.text().await.unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    lines.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

#[tokio::test]
async fn connectors_slots_registry_and_fleet_are_told_and_what_does_not_answer_holds_up_nothing() {
    platform::tls::install();
    let backbone = bed::database("backbone").await;
    let stack = bed::environment();
    let url = stack.get("APP_ENV_CONNECT_URL").unwrap();
    let mut gate = Gate::before(url);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folders = ["connectors", "schemas"].map(|folder| root().join(folder).to_str().unwrap().to_owned());
    let group = bed::unique("merchant-tax");
    // started once, and its committed offset is gone
    sqlx::query("insert into started_partition (consumer, topic, partition) values ('merchant-tax', $1, 0)")
        .bind("commerce.public.merchant")
        .execute(&backbone.pool)
        .await
        .unwrap();
    let observer = Process::start(
        &["observe", "--connectors", &folders[0], "--schemas", &folders[1]],
        &[
            ("APP_ENV_OPS_PORT", port.to_string().as_str()),
            ("APP_ENV_OBSERVE_MS", "300"),
            ("APP_ENV_CONNECT_URL", &gate.through(url)),
            ("BACKBONE__APP_ENV_DB_URL", &backbone.url),
            ("MERCHANT_TAX__APP_ENV_KAFKA_GROUP", &group),
        ],
    );
    let says = async |name: &str| metrics(port).await.get(name).copied();
    for (name, value) in [
        (r#"connector_running{connector="commerce"}"#, 1.0),
        (r#"connector_task_running{connector="commerce"}"#, 1.0),
        (r#"slot_active{connector="commerce"}"#, 1.0),
        (r#"slot_lost{connector="commerce"}"#, 0.0),
        (r#"consumer_partitions{consumer="merchant-tax",state="running"}"#, 0.0),
        (r#"consumer_offsets_out_of_range{consumer="merchant-tax"}"#, 1.0),
        (r#"consumer_offsets_out_of_range{consumer="search-sync"}"#, 0.0),
    ] {
        eventually(name, Some(value), || says(name)).await;
    }
    for name in ["slot_retained_bytes", "slot_behind_bytes", "slot_safe_wal_bytes", "connector_last_event_age_seconds"]
    {
        let name = format!(r#"{name}{{connector="commerce"}}"#);
        eventually(&name, true, async || says(&name).await.is_some_and(|value| value >= 0.0)).await;
    }
    eventually("the registry is compared", true, async || says("schema_drift").await.is_some_and(|n| n >= 0.0)).await;

    gate.close().await;
    let failures = r#"observe_failures_total{what="connector",service="commerce"}"#;
    eventually("a failure that is counted", true, async || says(failures).await.is_some_and(|n| n >= 2.0)).await;
    let seen = metrics(port).await;
    let is =
        |name: &str, value: f64| (seen[&format!(r#"{name}{{connector="commerce"}}"#)] - value).abs() < f64::EPSILON;
    assert!(is("connector_running", 0.0), "what is not known to run is not said to");
    assert!(seen[r#"connector_last_event_age_seconds{connector="commerce"}"#].is_nan());
    assert!(is("slot_active", 1.0), "the database answers all the same");
    let last =
        |what: &str| seen[&format!(r#"observe_last_success_timestamp_seconds{{what="{what}",service="commerce"}}"#)];
    assert!(last("slot") >= last("connector") && last("connector") > 0.0);

    gate.open();
    let running = r#"connector_running{connector="commerce"}"#;
    eventually("it runs again", Some(1.0), || says(running)).await;
    let (code, took) = observer.terminate().await;
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 10, "{took:?}");
}

#[tokio::test]
async fn an_observer_in_the_wrong_folder_says_so() {
    let (code, _) = Process::run(&["observe", "--connectors", "/nowhere"], &[]).await;
    assert_eq!(code, 1);
}
