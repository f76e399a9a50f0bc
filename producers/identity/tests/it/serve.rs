//! Identity as a process is: on a port, with its lease, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use platform::clock::SystemClock;
use platform::config::Environment;
use platform::lifecycle::Lifecycle;
use platform::random::SystemRandom;
use platform::redis::Cache;
use reqwest::{Client, StatusCode};
use serde_json::json;
use shell::authority::RemoteAuthority;
use shell::kit::Outside;

fn environment(database: &bed::Database, port: u16) -> Environment {
    let secret = "ab".repeat(32);
    Environment::from_pairs([("IDENTITY__APP_ENV_DB_URL", database.url.as_str()), ("APP_ENV_PORT", &port.to_string())])
        .with("APP_ENV_CURSOR_SECRET", &secret)
        .with("APP_ENV_APPLICATION_SECRET", &secret)
        .with("IDENTITY__APP_ENV_SIGN_IN_FAILURES_PER_ADDRESS", "2")
}

fn outside(url: &str, lifecycle: &Lifecycle) -> Outside {
    Outside {
        authority: Arc::new(RemoteAuthority::new(url).unwrap()),
        cache: Cache::none(),
        clock: SystemClock::shared(),
        random: SystemRandom::shared(),
        lifecycle: lifecycle.clone(),
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn until_ready(client: &Client, url: &str) {
    loop {
        let answer = client.get(format!("{url}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn it_becomes_ready_from_nothing_serves_other_shells_and_stops() {
    let (database, port) = (bed::database("identity").await, free_port());
    let (url, lifecycle) = (format!("http://127.0.0.1:{port}"), Lifecycle::new());
    let serving = tokio::spawn({
        let (environment, outside) = (environment(&database, port), outside(&url, &lifecycle));
        async move { identity::prepare(&environment, outside).unwrap().serve().await }
    });
    let client = Client::new();
    until_ready(&client, &url).await;

    // As another shell asks: keys and bundle over HTTP.
    let remote = RemoteAuthority::new(&url).unwrap();
    assert_eq!(shell::Authority::keys(&remote).await.unwrap().keys.len(), 1);
    assert!(shell::Authority::bundle(&remote).await.unwrap().contains('.'));

    let guess = || {
        let body = json!({"grant_type": "password", "email": bed::unique("someone") + "@example.vn", "password": "x"});
        client.post(format!("{url}/v1/api/identity/tokens")).json(&body).send()
    };
    // By the peer's address, since no proxy is trusted here.
    for expected in [401, 401, 429] {
        assert_eq!(guess().await.unwrap().status(), expected);
    }
    lifecycle.stop().cancel();
    serving.await.unwrap().unwrap();
    let leased: i64 = sqlx::query_scalar("select count(*) from snowflake_replica where leased_until > now()")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(leased, 0, "the replica number was given back");
}

#[tokio::test]
async fn a_configuration_that_is_not_usable_is_refused_with_every_name() {
    platform::tls::install();
    let refused = identity::prepare(&Environment::default(), outside("http://127.0.0.1:1", &Lifecycle::new()));
    let refused = refused.err().expect("it is refused").to_string();
    for name in ["APP_ENV_DB_URL", "APP_ENV_CURSOR_SECRET", "APP_ENV_APPLICATION_SECRET"] {
        assert!(refused.contains(name), "{refused}");
    }
}
