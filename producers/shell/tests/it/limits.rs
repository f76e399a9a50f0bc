//! Overload and outages answer at once, with when to come back.

use std::time::Duration;

use reqwest::Method;

use crate::service::{Odd, refused, start, start_odd};

#[tokio::test]
async fn overload_answers_503_at_once_and_health_goes_on() {
    let service = start_odd(Odd { settings: vec![("APP_ENV_MAX_IN_FLIGHT", "1")], ..Odd::default() }).await;
    let mut lock = service.pool.begin().await.unwrap();
    sqlx::query("lock table widget in access exclusive mode").execute(&mut *lock).await.unwrap();
    let first = tokio::spawn(service.create("k", "pho").send());
    service.until_blocked(&first).await;
    let refused_one = service.ask(Method::GET, "/widgets").send().await.unwrap();
    assert_eq!(refused_one.headers()["retry-after"], "1");
    refused(refused_one, 503, "OVERLOADED").await;
    let health = service.client.get(format!("{}/v1/api/commerce/healthz", service.url)).send().await.unwrap();
    assert_eq!(health.status(), 200);
    lock.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
    assert_eq!(service.ask(Method::GET, "/widgets").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_exhausted_pool_answers_503_with_retry_after() {
    let service = start_odd(Odd { connections: Some(1), patience: Some(3000), ..Odd::default() }).await;
    let mut lock = service.pool.begin().await.unwrap();
    sqlx::query("lock table widget in access exclusive mode").execute(&mut *lock).await.unwrap();
    let first = tokio::spawn(service.create("k", "pho").send());
    service.until_blocked(&first).await;
    let second = service.ask(Method::GET, "/widgets").send().await.unwrap();
    assert!(second.headers().contains_key("retry-after"));
    refused(second, 503, "UNAVAILABLE").await;
    lock.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().status(), 201);
}

#[tokio::test]
async fn with_postgres_down_it_is_alive_not_ready_and_answers_503() {
    let odd =
        Odd { database_url: Some("postgres://nobody@127.0.0.1:1/nothing"), patience: Some(300), ..Odd::default() };
    let service = start_odd(odd).await;
    let answer = service.create("k", "pho").send().await.unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    refused(answer, 503, "UNAVAILABLE").await;
    for base in ["", "/v1/api/commerce"] {
        let status = async |path: &str| {
            service.client.get(format!("{}{base}{path}", service.url)).send().await.unwrap().status()
        };
        assert_eq!((status("/healthz").await.as_u16(), status("/readyz").await.as_u16()), (200, 503));
    }
}

#[tokio::test]
async fn a_connection_killed_under_a_write_answers_503_and_nothing_is_half_done() {
    let service = start().await;
    let mut lock = service.pool.begin().await.unwrap();
    sqlx::query("lock table widget in access exclusive mode").execute(&mut *lock).await.unwrap();
    let first = tokio::spawn(service.create("k", "pho").send());
    service.until_blocked(&first).await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
                where application_name = 'widget' and datname = current_database()";
    sqlx::query(kill).execute(&service.pool).await.unwrap();
    refused(first.await.unwrap().unwrap(), 503, "UNAVAILABLE").await;
    lock.rollback().await.unwrap();
    assert_eq!(service.count().await, 0);
    assert_eq!(service.create("k", "pho").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn a_panic_answers_500_and_the_service_goes_on() {
    let service = start().await;
    let endpoints = shell::OpenApiRouter::new()
        .route(
            "/panic",
            axum::routing::get(|| async {
                let nothing: Option<()> = std::hint::black_box(None);
                nothing.expect("boom");
            }),
        )
        .route("/slow", axum::routing::get(|| tokio::time::sleep(Duration::from_hours(1))));
    let router = shell::router(&service.kit, endpoints, ());
    let ask = |path: &str| {
        let request =
            axum::http::Request::get(format!("/v1/api/commerce{path}")).body(axum::body::Body::empty()).unwrap();
        tower::ServiceExt::oneshot(router.clone(), request)
    };
    let answer = ask("/panic").await.unwrap();
    assert_eq!(answer.status(), 500);
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["code"], "INTERNAL");
    assert!(!problem.to_string().contains("boom"));
    assert_eq!(ask("/healthz").await.unwrap().status(), 200);
}
