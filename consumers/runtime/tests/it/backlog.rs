//! Behind a backlog, partitions are read in turns and a fold spans much of one.

use std::sync::atomic::Ordering;

use crate::stage::{Running, Stage};

/// Each of three partitions: so many entities made, then each changed once, far apart.
const ENTITIES: i64 = 3_000;

async fn backlog(stage: &Stage) -> Vec<(i64, String)> {
    for (name, lsn) in [("made", 1), ("changed", 100_000)] {
        stage.send_all((0..3 * ENTITIES).map(|id| ((id % 3) as i32, id, lsn + id, name.to_owned()))).await;
    }
    // records are old from two seconds on
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    (0..3 * ENTITIES).map(|id| (id, "changed".to_owned())).collect()
}

async fn drained(stage: &Stage, running: Running, expected: &[(i64, String)]) -> i64 {
    stage.expect(&expected.iter().map(|(id, name)| (*id, name.as_str())).collect::<Vec<_>>()).await;
    running.stop().await;
    sqlx::query_scalar("select sum(writes) from item").fetch_one(&stage.target.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_far_behind_are_read_in_turns_so_that_distant_changes_fold() {
    let stage = Stage::set(3).await;
    let expected = backlog(&stage).await;
    let running = stage.start();
    let measured =
        |partition: &serde_json::Value| partition["records_per_second"].as_f64().is_some_and(|rate| rate > 1.0);
    stage.expect_partition("measured", measured).await;
    let writes = drained(&stage, running, &expected).await;
    // read a little of each in turn, hardly any of the 6 * ENTITIES changes would fold
    assert!(writes < 11 * ENTITIES / 2, "{} changes of {} entities took {writes} writes", 6 * ENTITIES, 3 * ENTITIES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_slows_a_backlog_and_loses_nothing() {
    let stage = Stage::set(3).await;
    let expected = backlog(&stage).await;
    stage.switches.slow_ms.store(20, Ordering::Relaxed);
    let running = stage.start_with(|settings| {
        settings.fold_bytes = 400_000;
        settings.batch_entities = 200;
    });
    drained(&stage, running, &expected).await;
    assert!(stage.switches.largest.load(Ordering::Relaxed) <= 200);
}
