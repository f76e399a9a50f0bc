//! Replica numbers, leased.

use std::collections::HashSet;
use std::time::Duration;

use platform::clock::{Clock, SystemClock};
use platform::snowflake::lease::{acquire, keep};
use platform::snowflake::{Snowflake, node, time_ms};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_processes_that_start_at_once_get_fifty_numbers_and_never_the_same_id() {
    let database = bed::database("commerce").await;
    let stop = CancellationToken::new();
    let nodes: Vec<_> = (0..50).map(|_| Snowflake::unleased(2, SystemClock::shared())).collect();
    let keeping: Vec<_> = (nodes.iter().enumerate())
        .map(|(index, node)| {
            tokio::spawn(keep(database.pool.clone(), node.clone(), format!("process-{index}"), stop.clone()))
        })
        .collect();
    while !nodes.iter().all(Snowflake::is_leased) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (mut ids, mut numbers) = (HashSet::new(), HashSet::new());
    for snowflake in &nodes {
        for _ in 0..200 {
            let id = snowflake.next_id().unwrap();
            numbers.insert(node(id));
            assert!(ids.insert(id));
        }
    }
    assert_eq!((numbers.len(), ids.len()), (50, 10_000));
    stop.cancel();
    for task in keeping {
        task.await.unwrap();
    }
    let held = "select count(*) from snowflake_replica where leased_until > clock_timestamp()";
    let held: i64 = sqlx::query_scalar(held).fetch_one(&database.pool).await.unwrap();
    assert_eq!(held, 0, "every number is given back at the end");
}

#[tokio::test]
async fn a_number_is_taken_again_only_when_it_expired_and_above_what_was_used() {
    let database = bed::database("commerce").await;
    let (first, _) = acquire(&database.pool, "one").await.unwrap();
    let (second, _) = acquire(&database.pool, "two").await.unwrap();
    assert_eq!((first, second), (0, 1));
    let ahead = SystemClock.now_ms() + 3_600_000;
    let expire = "update snowflake_replica set leased_until = clock_timestamp(), used_until_ms = $1 where replica = 0";
    sqlx::query(expire).bind(ahead).execute(&database.pool).await.unwrap();
    assert_eq!(acquire(&database.pool, "three").await.unwrap(), (0, ahead));
}

#[tokio::test]
async fn with_all_64_taken_there_is_none() {
    let database = bed::database("commerce").await;
    for replica in 0..64 {
        assert_eq!(acquire(&database.pool, "one").await.unwrap().0, replica);
    }
    assert!(matches!(acquire(&database.pool, "late").await, Err(sqlx::Error::RowNotFound)));
}

#[tokio::test]
async fn a_clock_behind_the_one_before_makes_no_double() {
    let database = bed::database("commerce").await;
    let ahead = SystemClock.now_ms() + 60_000;
    acquire(&database.pool, "one").await.unwrap();
    let expire = "update snowflake_replica set leased_until = clock_timestamp(), used_until_ms = $1";
    sqlx::query(expire).bind(ahead).execute(&database.pool).await.unwrap();
    let (snowflake, stop) = (Snowflake::unleased(2, SystemClock::shared()), CancellationToken::new());
    let keeping = tokio::spawn(keep(database.pool.clone(), snowflake.clone(), "two".to_owned(), stop.clone()));
    while !snowflake.is_leased() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(time_ms(snowflake.next_id().unwrap()) > ahead);
    stop.cancel();
    keeping.await.unwrap();
}
