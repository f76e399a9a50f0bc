//! Stopping without losing an answer.

use std::time::Duration;

use platform::clock::SystemClock;
use platform::snowflake::Snowflake;

use crate::service::start;

#[tokio::test]
async fn a_request_in_flight_is_answered_while_draining_and_then_the_server_ends() {
    let service = start().await;
    let mut lock = service.pool.begin().await.unwrap();
    sqlx::query("lock table widget in access exclusive mode").execute(&mut *lock).await.unwrap();
    let first = tokio::spawn(service.create("k", "pho").send());
    service.until_blocked(&first).await;
    service.kit.lifecycle().begin_stop(Duration::ZERO).await;
    assert!(!service.kit.readiness().report().await.0);
    lock.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
    service.serving.await.unwrap().unwrap();
    assert!(service.client.get(format!("{}/healthz", service.url)).send().await.is_err());
}

#[tokio::test]
async fn while_unready_it_still_answers() {
    let service = start().await;
    let lifecycle = service.kit.lifecycle().clone();
    let stopping = tokio::spawn(async move { lifecycle.begin_stop(Duration::from_hours(1)).await });
    while !service.kit.lifecycle().is_draining() {
        tokio::task::yield_now().await;
    }
    let get = async |path: &str| service.client.get(format!("{}{path}", service.url)).send().await.unwrap().status();
    assert_eq!(get("/readyz").await, 503);
    assert_eq!(service.create("k", "pho").send().await.unwrap().status(), 201);
    stopping.abort();
}

#[tokio::test]
async fn the_replica_number_is_held_until_the_last_answer_and_then_given_back() {
    let service = start().await;
    let snowflake = Snowflake::unleased(2, SystemClock::shared());
    let background = tokio::spawn(shell::background(service.kit.clone(), service.pool.clone(), snowflake.clone()));
    while !snowflake.is_leased() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut lock = service.pool.begin().await.unwrap();
    sqlx::query("lock table widget in access exclusive mode").execute(&mut *lock).await.unwrap();
    let first = tokio::spawn(service.create("k", "pho").send());
    service.until_blocked(&first).await;
    service.kit.lifecycle().begin_stop(Duration::ZERO).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(snowflake.next_id().is_ok(), "a request in flight may still need an id");
    lock.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
    background.await.unwrap();
    assert!(!snowflake.is_leased());
    let held = "select count(*) from snowflake_replica where leased_until > clock_timestamp()";
    assert_eq!(sqlx::query_scalar::<_, i64>(held).fetch_one(&service.pool).await.unwrap(), 0);
}
