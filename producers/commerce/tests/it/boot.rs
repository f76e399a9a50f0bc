//! From the configuration to the last answer.

use std::sync::Arc;
use std::time::Duration;

use platform::clock::SystemClock;
use platform::config::{Environment, Invalid};
use platform::lifecycle::Lifecycle;
use platform::random::SystemRandom;
use platform::redis::Cache;
use shell::issuer::Issuer;
use shell::kit::Outside;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn outside(lifecycle: Lifecycle) -> Outside {
    Outside {
        authority: Arc::new(Issuer::default()),
        cache: Cache::none(),
        clock: SystemClock::shared(),
        random: SystemRandom::shared(),
        lifecycle,
    }
}

/// The status of a GET, or nothing when nobody listens.
async fn status(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn a_wrong_configuration_names_every_variable_and_opens_no_port() {
    let environment = Environment::from_pairs([("APP_ENV_MEDIA_URL", "nowhere"), ("APP_ENV_CURSOR_SECRET", "short")]);
    let refused = commerce::prepare(&environment, outside(Lifecycle::new())).err().expect("it is refused");
    let invalid: &Invalid = refused.downcast_ref().expect("what is wrong is the configuration");
    let all = invalid.faults.join("\n");
    for variable in ["APP_ENV_DB_URL", "APP_ENV_MEDIA_URL", "APP_ENV_CURSOR_SECRET", "APP_ENV_APPLICATION_SECRET"] {
        assert!(all.contains(variable), "{variable} is not in: {all}");
    }
}

#[tokio::test]
async fn the_service_gets_ready_and_stops_when_told() {
    let database = bed::database("commerce").await;
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let secret = "5a".repeat(32);
    let environment =
        Environment::from_pairs([("APP_ENV_CURSOR_SECRET", &secret), ("APP_ENV_APPLICATION_SECRET", &secret)])
            .with("COMMERCE__APP_ENV_DB_URL", &database.url)
            .with("APP_ENV_MEDIA_URL", url::Url::from_directory_path(folder.path()).unwrap())
            .with("APP_ENV_APPLICATION_SECRET_PREVIOUS", "11".repeat(32))
            .with("APP_ENV_PORT", port.to_string());
    let lifecycle = Lifecycle::new();
    let outside = outside(lifecycle.clone());
    let serving = tokio::spawn(async move { commerce::prepare(&environment, outside).unwrap().serve().await });
    while status(port, "/readyz").await != Some(200) {
        assert!(!serving.is_finished(), "it stopped by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status(port, "/v1/api/commerce/healthz").await, Some(200));
    assert_eq!(status(port, "/v1/api/commerce/doc").await, Some(200));
    assert_eq!(status(port, "/v1/api/commerce/merchants").await, Some(401));
    let leased: i64 = sqlx::query_scalar("select count(*) from snowflake_replica where leased_until > now()")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(leased, 1);
    lifecycle.begin_stop(Duration::ZERO).await;
    serving.await.unwrap().unwrap();
    assert_eq!(status(port, "/healthz").await, None);
}
