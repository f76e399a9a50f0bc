//! Servers that go away, are slow, or are late: the consumer waits, and goes on by itself.

use std::sync::Arc;
use std::time::Duration;

use bed::Gate;
use platform::postgres::PoolSettings;
use schemas::Registry;

use crate::stage::Stage;

fn setting(name: &str) -> String {
    bed::environment().get(name).unwrap().to_owned()
}

/// A gate before the stack's registry, and a registry behind it.
fn registry() -> (Gate, Arc<Registry>) {
    platform::tls::install();
    let url = setting("APP_ENV_SCHEMA_REGISTRY_URL");
    let gate = Gate::before(&url);
    let registry = Registry::new(&gate.through(&url), reqwest::Client::builder()).unwrap();
    (gate, Arc::new(registry))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_down_when_a_new_schema_comes_is_waited_for() {
    let mut stage = Stage::set(1).await;
    let (mut gate, registry) = registry();
    let running = stage.start_around(|around| around.registry = registry);
    stage.send(1, 1, Some("one")).await;
    stage.expect(&[(1, "one")]).await;
    stage.evolve().await;
    gate.close().await;
    stage.send(1, 2, Some("two")).await;
    stage.send(2, 3, Some("new")).await;
    let partition = stage.expect_partition("lags", |partition| partition["lag_records"] == 2).await;
    assert_eq!(partition["state"], "retrying", "{partition}");
    let reason = partition["reason"].as_str().unwrap();
    assert!(reason.contains("the registry is not available"), "{reason}");
    assert_eq!(stage.rows().await, [(1, "one".to_owned())]);
    assert!(stage.parked().await.is_empty());
    gate.open();
    stage.expect(&[(1, "two"), (2, "new")]).await;
    running.stop().await;
    assert!(stage.parked().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_takes_seconds_to_answer_is_waited_for() {
    let stage = Stage::set(1).await;
    let (gate, registry) = registry();
    gate.slow(Duration::from_secs(2));
    let running = stage.start_around(|around| around.registry = registry);
    stage.send(1, 1, Some("one")).await;
    stage.send(2, 2, Some("two")).await;
    stage.expect(&[(1, "one"), (2, "two")]).await;
    running.stop().await;
    assert!(stage.parked().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_breaks_off_in_the_middle_is_waited_for_and_ends_as_the_model_does() {
    const ENTITIES: i64 = 2_000;
    let stage = Stage::set(2).await;
    let mut gate = Gate::before(&stage.target.url);
    let target = platform::postgres::connect(&gate.through(&stage.target.url), &PoolSettings::named("items")).unwrap();
    let running = stage.start_around(|around| around.target = target);
    let changes =
        |name: &'static str, lsn: i64| (0..ENTITIES).map(move |id| ((id % 2) as i32, id, lsn + id, name.to_owned()));
    stage.send_all(changes("first", 1)).await;
    stage.expect(&(0..ENTITIES).map(|id| (id, "first")).collect::<Vec<_>>()).await;
    for round in 1..=3 {
        let breaking_off = async {
            tokio::time::sleep(Duration::from_millis(30 * round)).await;
            gate.close().await;
        };
        let lsn = 10_000 * i64::try_from(round).unwrap();
        tokio::join!(stage.send_all(changes("between", lsn)), breaking_off);
        // what is sent to a closed gate makes a partition retry, whatever came through before
        stage.send_all(changes("last", lsn + 5_000)).await;
        stage.expect_state("retrying").await;
        gate.open();
        stage.expect(&(0..ENTITIES).map(|id| (id, "last")).collect::<Vec<_>>()).await;
    }
    running.stop().await;
    assert!(stage.parked().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_are_away_at_the_start_are_waited_for() {
    let stage = Stage::set(1).await;
    let mut gate = Gate::to(&setting("APP_ENV_KAFKA_BROKERS"));
    gate.close().await;
    // the brokers' own address is learned from the first one that answers, so only the first question goes through here
    let running = stage.start_around(|around| around.settings.brokers = gate.address());
    stage.send(1, 1, Some("one")).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(stage.rows().await.is_empty());
    gate.open();
    stage.expect(&[(1, "one")]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_database_that_answers_late_at_the_start_is_waited_for() {
    let stage = Stage::set(1).await;
    // it answers, but not what is asked first
    let mut lock = stage.control.pool.begin().await.unwrap();
    sqlx::query("lock table epoch in access exclusive mode").execute(&mut *lock).await.unwrap();
    let impatient = PoolSettings::named("items").statement_timeout(Duration::from_millis(200));
    let control = platform::postgres::connect(&stage.control.url, &impatient).unwrap();
    let running = stage.start_around(|around| around.control = control);
    stage.send(1, 1, Some("one")).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!running.has_ended(), "it gave up");
    lock.rollback().await.unwrap();
    stage.expect(&[(1, "one")]).await;
    running.stop().await;
}
