//! A request that is repeated is one request.

use std::time::Duration;

use reqwest::Method;
use shell::idempotency::sweep;

use crate::service::{Odd, json, new_widget, refused, start, start_odd};

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_again() {
    let service = start().await;
    let first = service.create("k", "pho").send().await.unwrap();
    let (etag, location) = (first.headers()["etag"].clone(), first.headers()["location"].clone());
    let body = first.bytes().await.unwrap();
    let again = service.create("k", "pho").send().await.unwrap();
    assert_eq!(again.status(), 201);
    assert_eq!((&again.headers()["etag"], &again.headers()["location"]), (&etag, &location));
    assert_eq!(again.bytes().await.unwrap(), body);
    assert_eq!(service.count().await, 1);
}

#[tokio::test]
async fn the_same_key_with_another_body_answers_422() {
    let service = start().await;
    service.create("k", "pho").send().await.unwrap();
    refused(service.create("k", "bun").send().await.unwrap(), 422, "IDEMPOTENCY_KEY_REUSED").await;
    assert_eq!(service.count().await, 1);
}

#[tokio::test]
async fn a_body_that_differs_in_spaces_only_is_the_same() {
    let service = start().await;
    service.create("k", "pho").send().await.unwrap();
    let spaced = serde_json::to_string_pretty(&new_widget("pho")).unwrap();
    let again = service.ask(Method::POST, "/widgets").header("idempotency-key", "k");
    let again = again.header("content-type", "application/json").body(spaced).send().await.unwrap();
    assert_eq!(again.status(), 201);
}

#[tokio::test]
async fn a_key_is_required_and_must_be_sane() {
    let service = start().await;
    let without = service.ask(Method::POST, "/widgets").json(&new_widget("pho")).send().await.unwrap();
    refused(without, 400, "IDEMPOTENCY_KEY_REQUIRED").await;
    refused(service.create("a b", "pho").send().await.unwrap(), 400, "IDEMPOTENCY_KEY_MALFORMED").await;
    refused(service.create(&"x".repeat(256), "pho").send().await.unwrap(), 400, "IDEMPOTENCY_KEY_MALFORMED").await;
}

#[tokio::test]
async fn the_keys_of_two_callers_are_two_keys() {
    let service = start().await;
    service.create("k", "pho").send().await.unwrap();
    let other = service.ask_as(8, &["OWNER"], &[], Method::POST, "/widgets").header("idempotency-key", "k");
    assert_eq!(other.json(&new_widget("bun")).send().await.unwrap().status(), 201);
    assert_eq!(service.count().await, 2);
}

#[tokio::test]
async fn while_a_request_runs_the_same_key_answers_409_at_once() {
    let service = start().await;
    let mut lock = service.pool.begin().await.unwrap();
    sqlx::query("lock table widget in access exclusive mode").execute(&mut *lock).await.unwrap();
    let first = tokio::spawn(service.create("k", "pho").send());
    service.until_blocked(&first).await;
    // The first is still waiting for the table, so this answer waited for nothing.
    refused(service.create("k", "pho").send().await.unwrap(), 409, "IDEMPOTENCY_KEY_IN_USE").await;
    lock.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
    assert_eq!(service.create("k", "pho").send().await.unwrap().status(), 201);
    assert_eq!(service.count().await, 1);
}

#[tokio::test]
async fn twenty_at_once_with_one_key_create_one_thing() {
    let service = start().await;
    let answers = futures::future::join_all((0..20).map(|_| service.create("k", "pho").send())).await;
    let mut ids = Vec::new();
    for answer in answers {
        let answer = answer.unwrap();
        match answer.status().as_u16() {
            201 => ids.push(json(answer).await["id"].clone()),
            409 => drop(refused(answer, 409, "IDEMPOTENCY_KEY_IN_USE").await),
            other => panic!("answered {other}"),
        }
    }
    ids.dedup();
    assert_eq!((ids.len(), service.count().await), (1, 1));
}

#[tokio::test]
async fn one_that_looked_before_the_first_committed_and_is_refused_for_its_effect_gets_its_answer() {
    let service = start().await;
    let first = json(service.create("k", "pho").send().await.unwrap()).await;
    let kept =
        "create table kept_widget as select * from widget; create table kept_key as select * from idempotency_key";
    sqlx::raw_sql(kept).execute(&service.pool).await.unwrap();
    sqlx::raw_sql("delete from widget; delete from idempotency_key").execute(&service.pool).await.unwrap();
    // The second found no answer, and waits; what it finds after that is as if the first had only now committed.
    let mut lock = service.pool.begin().await.unwrap();
    sqlx::query("lock table widget in access exclusive mode").execute(&mut *lock).await.unwrap();
    let second = tokio::spawn(service.create("k", "pho").send());
    service.until_blocked(&second).await;
    let back = "insert into widget select * from kept_widget; insert into idempotency_key select * from kept_key";
    sqlx::raw_sql(back).execute(&mut *lock).await.unwrap();
    lock.commit().await.unwrap();
    let second = second.await.unwrap().unwrap();
    assert_eq!(second.status(), 201);
    assert_eq!(json(second).await, first);
    assert_eq!(service.count().await, 1);
}

#[tokio::test]
async fn a_refused_request_can_be_repeated_after_its_cause_is_gone() {
    let service = start().await;
    service.created("pho").await;
    refused(service.create("k", "pho").send().await.unwrap(), 409, "SLUG_TAKEN").await;
    sqlx::query("delete from widget").execute(&service.pool).await.unwrap();
    assert_eq!(service.create("k", "pho").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_write_whose_client_went_away_is_done_and_answered_later() {
    let service = start().await;
    let mut lock = service.pool.begin().await.unwrap();
    sqlx::query("lock table widget in access exclusive mode").execute(&mut *lock).await.unwrap();
    let gone = tokio::spawn(service.create("k", "pho").send());
    service.until_blocked(&gone).await;
    gone.abort();
    drop(gone.await);
    lock.rollback().await.unwrap();
    // 409 while it runs; 503 when this machine is too busy to replay within the time.
    while service.create("k", "pho").send().await.unwrap().status() != 201 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(service.count().await, 1);
}

#[tokio::test]
async fn a_request_beyond_its_time_answers_503_and_its_key_tells_later_how_it_ended() {
    let service = start_odd(Odd { settings: vec![("APP_ENV_REQUEST_TIMEOUT_MS", "1000")], ..Odd::default() }).await;
    let mut lock = service.pool.begin().await.unwrap();
    sqlx::query("lock table widget in access exclusive mode").execute(&mut *lock).await.unwrap();
    let late = service.create("k", "pho").send().await.unwrap();
    assert!(late.headers().contains_key("retry-after"));
    refused(late, 503, "TIMEOUT").await;
    lock.rollback().await.unwrap();
    // 409 while it runs; 503 when this machine is too busy to replay within the time.
    while service.create("k", "pho").send().await.unwrap().status() != 201 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(service.count().await, 1);
}

#[tokio::test]
async fn old_keys_are_swept_and_young_ones_kept() {
    let service = start().await;
    for slug in ["old", "young"] {
        service.created(slug).await;
    }
    let age = "update idempotency_key set created_at = now() - interval '25 hours'
               where location = (select '/v1/api/commerce/widgets/' || id from widget where slug = 'old')";
    sqlx::query(age).execute(&service.pool).await.unwrap();
    assert_eq!(sweep(&service.pool, shell::idempotency::KEPT).await.unwrap(), 1);
    assert_eq!(sweep(&service.pool, Duration::from_hours(24)).await.unwrap(), 0);
    refused(service.create("old", "old").send().await.unwrap(), 409, "SLUG_TAKEN").await;
    assert_eq!(service.create("young", "young").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn an_answer_and_its_effect_commit_together_or_not_at_all() {
    let service = start().await;
    sqlx::query("alter table idempotency_key add constraint nothing_is_stored check (status = 0)")
        .execute(&service.pool)
        .await
        .unwrap();
    let failed = service.create("k", "pho").send().await.unwrap();
    assert!(!failed.status().is_success());
    assert_eq!(service.count().await, 0);
}
