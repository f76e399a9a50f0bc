//! Where a partition starts, and when it must not.

use crate::stage::Stage;

async fn applied_ten(stage: &Stage) {
    for id in 0..10 {
        stage.send(id, id + 1, Some("x")).await;
    }
    let running = stage.start();
    stage.expect(&(0..10).map(|id| (id, "x")).collect::<Vec<_>>()).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_deleted_and_made_again_is_recognised_and_halts() {
    let stage = Stage::set(1).await;
    applied_ten(&stage).await;
    stage.delete_topic().await;
    stage.create_topic(1).await;
    for id in 0..20 {
        stage.send(id, 100 + id, Some("another incarnation")).await;
    }
    let running = stage.start();
    let reason = stage.expect_state("halted").await;
    assert!(reason.contains("deleted and made again"), "{reason}");
    running.stop().await;
    assert_eq!(stage.rows().await[0].1, "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_passed_retention_unread_halt_and_are_counted() {
    let stage = Stage::set(1).await;
    applied_ten(&stage).await;
    for id in 10..30 {
        stage.send(id, 100 + id, Some("y")).await;
    }
    stage.expire(25).await;
    let running = stage.start();
    let reason = stage.expect_state("halted").await;
    assert!(reason.contains("15 records passed retention"), "{reason}");
    // going on after them is what is left, and the target does not wait for them either
    let rewound = stage.command_with("rewind", serde_json::json!({ "to": 25 })).await;
    assert_eq!(rewound, "rewound to 25, 0 records before 25");
    stage.expect_state("running").await;
    let there: i64 =
        sqlx::query_scalar("select next_offset from cdc.frontier").fetch_one(&stage.target.pool).await.unwrap();
    assert!(there >= 25, "the target stands at {there}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_restored_from_an_older_backup_is_noticed_at_start() {
    let stage = Stage::set(1).await;
    applied_ten(&stage).await;
    sqlx::query("update cdc.frontier set next_offset = 4").execute(&stage.target.pool).await.unwrap();
    let running = stage.start();
    let reason = stage.expect_state("halted").await;
    assert!(reason.contains("restored from an older backup"), "{reason}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_pause_holds_across_restarts_until_resumed() {
    let stage = Stage::set(1).await;
    let first = stage.start();
    stage.send(1, 1, Some("before")).await;
    stage.expect(&[(1, "before")]).await;
    assert_eq!(stage.command("pause").await, "paused");
    first.stop().await;
    stage.send(2, 2, Some("while paused")).await;
    let second = stage.start();
    stage.expect_state("paused").await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(stage.rows().await.len(), 1);
    assert_eq!(stage.command("resume").await, "resumed");
    stage.expect(&[(1, "before"), (2, "while paused")]).await;
    second.stop().await;
}
