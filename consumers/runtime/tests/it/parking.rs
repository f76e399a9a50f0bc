//! A record that cannot be applied is kept with its bytes; its neighbours are not touched, its followers follow.

use std::sync::atomic::Ordering;

use crate::stage::{Stage, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_parks_alone_and_later_ones_of_its_key_follow() {
    let stage = Stage::set(1).await;
    for id in 0..20 {
        stage.send(id, id + 1, Some(if id == 7 { "refuse" } else { "fine" })).await;
    }
    let running = stage.start();
    let mut expected: Vec<_> = (0..20).filter(|id| *id != 7).map(|id| (id, "fine")).collect();
    stage.expect(&expected).await;
    stage.expect_parked(&[(Some("7"), 7, "refused")]).await;
    stage.send(7, 30, Some("later")).await;
    stage.send(7, 40, None).await;
    stage.send(9, 41, Some("after")).await;
    expected[8].1 = "after";
    stage.expect(&expected).await;
    stage.expect_parked(&[(Some("7"), 7, "refused"), (Some("7"), 20, "follows"), (Some("7"), 21, "follows")]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_that_a_later_one_made_unnecessary_is_not_parked() {
    let stage = Stage::set(1).await;
    // while a batch is applied both come, so that they are in one: a change that is read alone is refused alone
    stage.switches.slow_ms.store(3_000, Ordering::Relaxed);
    stage.send(9, 1, Some("before")).await;
    let running = stage.start();
    until("what is applied", &stage.switches.attempts, 1).await;
    stage.send(1, 2, Some("refuse")).await;
    stage.send(1, 3, Some("fine")).await;
    stage.expect(&[(1, "fine"), (9, "before")]).await;
    running.stop().await;
    assert!(stage.parked().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_decision_refuses_parks_with_its_reason_and_bytes() {
    let stage = Stage::set(1).await;
    stage.send(1, 1, Some("park")).await;
    stage.send(2, 2, Some("two")).await;
    let running = stage.start();
    stage.expect(&[(2, "two")]).await;
    stage.expect_parked(&[(Some("1"), 0, "refused")]).await;
    running.stop().await;
    let all = runtime::parking::list(&stage.control.pool, "items", None).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].detail, "the decision refuses it");
    assert_eq!(all[0].record.key.as_deref(), Some(&*stage.key_of(1)));
    assert_eq!(all[0].record.value.as_deref(), Some(&*stage.value_of(1, 1, Some("park"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_of_every_kind_parks_and_the_rest_goes_on() {
    let stage = Stage::set(1).await;
    let (key, good) = (stage.key_of(1), stage.value_of(1, 1, Some("x")));
    stage.send_raw(0, Some(&key), Some(b"not the wire format")).await;
    stage.send_raw(0, Some(&stage.key_of(2)), Some(&good[..good.len() - 4])).await;
    stage.send_raw(0, None, Some(&good)).await;
    stage.send_raw(0, Some(b"\x00bad"), Some(&good)).await;
    let mut unknown = stage.value_of(3, 1, Some("x"));
    unknown[1..5].copy_from_slice(&2_000_000_000_u32.to_be_bytes());
    stage.send_raw(0, Some(&stage.key_of(3)), Some(&unknown)).await;
    stage.send(1, 5, Some("follows the first")).await;
    stage.send(4, 6, Some("four")).await;
    let running = stage.start();
    stage.expect(&[(4, "four")]).await;
    let expected = [
        (Some("1"), 0, "undecodable"),
        (Some("2"), 1, "undecodable"),
        (None, 2, "undecodable"),
        (None, 3, "undecodable"),
        (Some("3"), 4, "unknown-schema"),
        (Some("1"), 5, "follows"),
    ];
    stage.expect_parked(&expected).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_megabytes_of_nothing_are_parked_and_five_of_a_change_are_applied() {
    const SIZE: usize = 5_000_000;
    let stage = Stage::set(1).await;
    stage.send(1, 1, Some("before")).await;
    stage.send_raw(0, Some(&stage.key_of(2)), Some(&vec![0xff; SIZE])).await;
    stage.send(3, 3, Some(&"x".repeat(SIZE))).await;
    stage.send(4, 4, Some("after")).await;
    let running = stage.start();
    stage.expect_parked(&[(Some("2"), 1, "undecodable")]).await;
    let lengths = async || {
        let rows = sqlx::query_as::<_, (i64, i32)>("select id, length(name) from item order by id");
        rows.fetch_all(&stage.target.pool).await.unwrap()
    };
    let expected = [(1, 6), (3, i32::try_from(SIZE).unwrap()), (4, 5)];
    for _ in 0..300 {
        if lengths().await == expected {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(lengths().await, expected);
    let kept = runtime::parking::list(&stage.control.pool, "items", None).await.unwrap();
    assert_eq!(kept[0].record.value.as_deref(), Some(&*vec![0xff; SIZE]), "its bytes are kept");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_keys_are_remembered_across_restarts() {
    let stage = Stage::set(1).await;
    stage.send(1, 1, Some("park")).await;
    let first = stage.start();
    stage.send(2, 2, Some("two")).await;
    stage.expect(&[(2, "two")]).await;
    stage.expect_parked(&[(Some("1"), 0, "refused")]).await;
    first.stop().await;
    stage.send(1, 3, Some("would overtake")).await;
    stage.send(3, 4, Some("three")).await;
    let second = stage.start();
    stage.expect(&[(2, "two"), (3, "three")]).await;
    stage.expect_parked(&[(Some("1"), 0, "refused"), (Some("1"), 2, "follows")]).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_nobody_thought_of_halts_and_a_resume_tries_again() {
    let stage = Stage::set(1).await;
    stage.send(1, 1, Some("bug")).await;
    let running = stage.start();
    assert_eq!(stage.expect_state("halted").await, "nobody thought of this");
    assert!(stage.rows().await.is_empty() && stage.parked().await.is_empty());
    // the bug is mended: a newer change of the row makes the fold harmless
    stage.send(1, 2, Some("mended")).await;
    assert_eq!(stage.command("resume").await, "resumed");
    stage.expect(&[(1, "mended")]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parking_a_whole_topic_halts_instead() {
    let stage = Stage::set(1).await;
    stage.send_all((0..30).map(|id| (0, id, id + 1, "park".to_owned()))).await;
    let running = stage.start_with(|settings| settings.park_limit = 5);
    let reason = stage.expect_state("halted").await;
    assert!(reason.contains("more than 5 records were parked"), "{reason}");
    running.stop().await;
}
