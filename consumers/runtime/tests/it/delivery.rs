//! At least once, in order, guarded: the result is as if once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn changes_reach_the_target_and_a_restart_goes_on_where_it_was() {
    let stage = Stage::set(1).await;
    stage.send(1, 10, Some("one")).await;
    let first = stage.start();
    stage.expect(&[(1, "one")]).await;
    first.stop().await;
    stage.send(2, 20, Some("two")).await;
    let second = stage.start();
    stage.expect(&[(1, "one"), (2, "two")]).await;
    second.stop().await;
    let writes: i32 =
        sqlx::query_scalar("select writes from item where id = 1").fetch_one(&stage.target.pool).await.unwrap();
    assert_eq!(writes, 1, "what was committed was applied again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_change_never_overwrites_a_newer_one_nor_raises_the_dead() {
    let stage = Stage::set(1).await;
    let running = stage.start();
    stage.send(1, 50, Some("new")).await;
    stage.send(2, 50, Some("here")).await;
    stage.expect(&[(1, "new"), (2, "here")]).await;
    stage.send(2, 60, None).await;
    stage.send_raw(0, Some(&stage.key_of(2)), None).await;
    stage.expect(&[(1, "new")]).await;
    stage.send(1, 40, Some("old")).await;
    stage.send(2, 55, Some("undead")).await;
    stage.send(3, 70, Some("end")).await;
    stage.expect(&[(1, "new"), (3, "end")]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_deleted_row_is_deleted() {
    let stage = Stage::set(1).await;
    let running = stage.start();
    stage.send(1, 1, Some("one")).await;
    stage.expect(&[(1, "one")]).await;
    stage.send(1, 2, Some("gone")).await;
    stage.expect(&[]).await;
    stage.send(1, 3, Some("restored")).await;
    stage.expect(&[(1, "restored")]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_down_is_waited_for_and_nothing_is_lost_or_reordered() {
    let stage = Stage::set(1).await;
    stage.switches.down.store(true, Ordering::Relaxed);
    let running = stage.start();
    for lsn in 1..=5 {
        stage.send(1, lsn, Some(&format!("v{lsn}"))).await;
    }
    stage.send(2, 6, Some("two")).await;
    let reason = stage.expect_state("retrying").await;
    assert_eq!(reason, "the target is down");
    assert!(stage.rows().await.is_empty() && stage.switches.attempts.load(Ordering::Relaxed) > 0);
    stage.switches.down.store(false, Ordering::Relaxed);
    stage.expect(&[(1, "v5"), (2, "two")]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_partitions_and_survive_one_leaving() {
    let stage = Stage::set(4).await;
    stage.send_all((0..200).map(|id| ((id % 4) as i32, id, id + 1, "first".to_owned()))).await;
    let (one, two) = (stage.start(), stage.start());
    stage.expect(&(0..200).map(|id| (id, "first")).collect::<Vec<_>>()).await;
    stage.send_all((0..200).map(|id| ((id % 4) as i32, id, 1000 + id, "second".to_owned()))).await;
    one.stop().await;
    stage.expect(&(0..200).map(|id| (id, "second")).collect::<Vec<_>>()).await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_under_load_finishes_the_batch_and_the_next_worker_does_the_rest() {
    let stage = Stage::set(2).await;
    stage.switches.slow_ms.store(300, Ordering::Relaxed);
    let changes =
        |name: &'static str, lsn: i64| (0..3000).map(move |id| ((id % 2) as i32, id, lsn + id, name.to_owned()));
    stage.send_all(changes("a", 1)).await;
    let first = stage.start();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    stage.send_all(changes("b", 10_000)).await;
    let began = std::time::Instant::now();
    first.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10), "draining took {:?}", began.elapsed());
    let second = stage.start();
    stage.expect(&(0..3000).map(|id| (id, "b")).collect::<Vec<_>>()).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_folded_into_few_writes() {
    let stage = Stage::set(1).await;
    stage.send_all((0..4000).map(|n| (0, n % 10, n + 1, format!("v{n}")))).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let running = stage.start();
    let expected: Vec<_> = (0..10).map(|id| (id, format!("v{}", 3990 + id))).collect();
    stage.expect(&expected.iter().map(|(id, name)| (*id, name.as_str())).collect::<Vec<_>>()).await;
    running.stop().await;
    let writes: i64 = sqlx::query_scalar("select sum(writes) from item").fetch_one(&stage.target.pool).await.unwrap();
    assert!(writes < 400, "4000 changes of 10 entities took {writes} writes");
}
