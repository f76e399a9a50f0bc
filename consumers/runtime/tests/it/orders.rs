//! What an operator orders of a running fleet: go back, pass a record, release what is parked.

use std::sync::atomic::Ordering;

use schemas::field::PLACEHOLDER;
use serde_json::json;

use crate::stage::Stage;

fn entity(stage: &Stage, id: i64) -> serde_json::Value {
    json!({ "entity": format!("{}/{id}", stage.topic) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewind_applies_again_and_repairs_what_was_damaged() {
    let stage = Stage::set(1).await;
    stage.send_all((0..50).map(|id| (0, id, id + 1, format!("name {id}")))).await;
    stage.send(7, 100, Some("newer")).await;
    let running = stage.start();
    let names: Vec<String> =
        (0..50).map(|id| if id == 7 { "newer".to_owned() } else { format!("name {id}") }).collect();
    let expected: Vec<(i64, &str)> = (0..).zip(names.iter().map(String::as_str)).collect();
    stage.expect(&expected).await;
    sqlx::raw_sql("delete from item where id < 5; update item set name = 'damaged' where id > 40")
        .execute(&stage.target.pool)
        .await
        .unwrap();
    assert_eq!(stage.command_with("rewind", json!({ "to": 0 })).await, "rewound to 0, 51 records before 51");
    stage.expect(&expected).await;
    running.stop().await;
    // the committed offset stands at the end again
    let again = stage.start();
    stage.send(50, 200, Some("after")).await;
    let mut expected = expected;
    expected.push((50, "after"));
    stage.expect(&expected).await;
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewind_goes_neither_forward_nor_before_what_is_retained() {
    let stage = Stage::set(1).await;
    stage.send_all((0..10).map(|id| (0, id, id + 1, "x".to_owned()))).await;
    let running = stage.start();
    let expected: Vec<_> = (0..10).map(|id| (id, "x")).collect();
    stage.expect(&expected).await;
    // the commit follows the effect
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    stage.expire(4).await;
    let before = stage.command_with("rewind", json!({ "to": 3 })).await;
    assert_eq!(before, "refused: 3 is not retained; the first retained record is at 4");
    let forward = stage.command_with("rewind", json!({ "to": 11 })).await;
    assert!(forward.starts_with("refused: 11 lies after 10"), "{forward}");
    let wrong = stage.command_with("rewind", json!({ "from": 1 })).await;
    assert!(wrong.starts_with("refused: "), "{wrong}");
    assert_eq!(stage.command_with("rewind", json!({ "to": null })).await, "rewound to 4, 6 records before 10");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_halts_a_partition_can_be_skipped_and_is_kept() {
    let stage = Stage::set(1).await;
    stage.send(1, 1, Some("one")).await;
    let running = stage.start();
    stage.expect(&[(1, "one")]).await;
    stage.send(2, 2, Some("bug")).await;
    stage.expect_state("halted").await;
    stage.send(2, 3, Some("follows")).await;
    stage.send(3, 4, Some("three")).await;
    let elsewhere = stage.command_with("skip", json!({ "offset": 3 })).await;
    assert_eq!(elsewhere, "refused: the partition stands at 1, not at 3");
    let skipped = stage.command_with("skip", json!({ "offset": 1 })).await;
    assert_eq!(skipped, "skipped the record at 1; it is parked");
    stage.expect(&[(1, "one"), (3, "three")]).await;
    stage.expect_parked(&[(Some("2"), 1, "skipped"), (Some("2"), 2, "follows")]).await;
    running.stop().await;
    let all = runtime::parking::list(&stage.control.pool, "items", None).await.unwrap();
    assert_eq!(all[0].record.value.as_deref(), Some(&*stage.value_of(2, 2, Some("bug"))));
    assert_eq!(all[0].detail, "skipped by an operator: a test");
    // and it is not met again
    let again = stage.start();
    stage.send(4, 5, Some("four")).await;
    stage.expect(&[(1, "one"), (3, "three"), (4, "four")]).await;
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_applies_in_order_and_later_changes_go_their_way_again() {
    let stage = Stage::set(1).await;
    let running = stage.start();
    stage.send(1, 1, Some("refuse")).await;
    stage.send(2, 2, Some("refuse")).await;
    stage.expect_parked(&[(Some("1"), 0, "refused"), (Some("2"), 1, "refused")]).await;
    stage.send(1, 3, Some("later")).await;
    stage.send(1, 4, None).await;
    stage.send(1, 5, Some("last")).await;
    let all = [
        (Some("1"), 0, "refused"),
        (Some("2"), 1, "refused"),
        (Some("1"), 2, "follows"),
        (Some("1"), 3, "follows"),
        (Some("1"), 4, "follows"),
    ];
    stage.expect_parked(&all).await;
    let early = stage.command_with("release", entity(&stage, 1)).await;
    assert!(early.starts_with("refused: released 0, then"), "{early}");
    stage.expect_parked(&all).await;
    stage.switches.mended.store(true, Ordering::Relaxed);
    assert_eq!(stage.command_with("release", entity(&stage, 1)).await, "released 4");
    stage.expect(&[(1, "last")]).await;
    stage.expect_parked(&[(Some("2"), 1, "refused")]).await;
    stage.send(1, 6, Some("live")).await;
    stage.expect(&[(1, "live")]).await;
    stage.expect_parked(&[(Some("2"), 1, "refused")]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_applies_in_the_sources_order_where_the_key_moved_to_another_partition() {
    let stage = Stage::set(2).await;
    let running = stage.start();
    // the newer change is read first, and lacks what only the older one carries
    stage.send_all([(1, 1, 5, PLACEHOLDER.to_owned())]).await;
    stage.expect_parked(&[(Some("1"), 0, "refused")]).await;
    stage.send_all([(0, 1, 3, "older".to_owned())]).await;
    stage.expect_parked(&[(Some("1"), 0, "refused"), (Some("1"), 0, "follows")]).await;
    let released = stage.command_with("release", entity(&stage, 1)).await;
    assert!(released.starts_with("refused: released 1, then"), "{released}");
    stage.expect(&[(1, "older")]).await;
    stage.expect_parked(&[(Some("1"), 0, "refused")]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_arrive_while_their_entity_is_released_are_neither_lost_nor_parked_for_ever() {
    let stage = Stage::set(1).await;
    let running = stage.start();
    stage.send(1, 1, Some("refuse")).await;
    stage.expect_parked(&[(Some("1"), 0, "refused")]).await;
    stage.switches.mended.store(true, Ordering::Relaxed);
    // each apply takes a while, so that records arrive in the middle of the release
    stage.switches.slow_ms.store(20, Ordering::Relaxed);
    let writing = async {
        for lsn in 2..80 {
            stage.send(1, lsn, Some(&format!("change {lsn}"))).await;
        }
    };
    let releasing = async {
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        stage.command_with("release", entity(&stage, 1)).await
    };
    let ((), outcome) = tokio::join!(writing, releasing);
    assert!(outcome.starts_with("released "), "{outcome}");
    stage.expect(&[(1, "change 79")]).await;
    stage.expect_parked(&[]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_tries_again_and_again_still_obeys() {
    let stage = Stage::set(1).await;
    stage.send(1, 1, Some("one")).await;
    stage.switches.down.store(true, Ordering::Relaxed);
    let running = stage.start();
    stage.expect_state("retrying").await;
    assert_eq!(stage.command_with("skip", json!({ "offset": 0 })).await, "skipped the record at 0; it is parked");
    stage.send(2, 2, Some("two")).await;
    stage.switches.down.store(false, Ordering::Relaxed);
    stage.expect(&[(2, "two")]).await;
    stage.expect_parked(&[(Some("1"), 0, "skipped")]).await;
    running.stop().await;
}
