//! Pools over servers that come late or go away.

use std::time::Duration;

use platform::postgres::{PoolSettings, connect, wait_until_ready};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use url::Url;

#[tokio::test]
async fn a_server_that_is_slow_at_start_is_waited_for() {
    let database = bed::database("commerce").await;
    let mut url: Url = database.url.parse().unwrap();
    let target = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = door.local_addr().unwrap().port();
    drop(door);
    url.set_port(Some(port)).unwrap();
    let mut settings = PoolSettings::named("early");
    settings.acquire_timeout = Duration::from_millis(100);
    let pool = connect(url.as_str(), &settings).unwrap();
    assert!(sqlx::query("select 1").execute(&pool).await.is_err());
    let waiting = tokio::spawn(async move { wait_until_ready(&pool, "commerce", &CancellationToken::new()).await });
    let door = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let forwarding = tokio::spawn(async move {
        loop {
            let (mut one, _) = door.accept().await.unwrap();
            let target = target.clone();
            tokio::spawn(async move {
                let mut other = TcpStream::connect(target).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut one, &mut other).await);
            });
        }
    });
    assert!(waiting.await.unwrap());
    forwarding.abort();
}

#[tokio::test]
async fn waiting_ends_when_the_process_stops() {
    let mut settings = PoolSettings::named("early");
    settings.acquire_timeout = Duration::from_millis(50);
    let pool = connect("postgres://nobody@127.0.0.1:1/nothing", &settings).unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    assert!(!wait_until_ready(&pool, "nothing", &stop).await);
}

#[tokio::test]
async fn connections_that_died_while_idle_cost_no_error() {
    let database = bed::database("commerce").await;
    let pool = connect(&database.url, &PoolSettings::named("restarted")).unwrap();
    sqlx::query("select 1").execute(&pool).await.unwrap();
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
               where application_name = 'restarted' and datname = current_database()";
    sqlx::query(end).execute(&database.pool).await.unwrap();
    // Beyond the second within which a connection is taken as it is.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    sqlx::query("select 1").execute(&pool).await.unwrap();
}

#[tokio::test]
async fn connections_say_who_they_are() {
    let database = bed::database("commerce").await;
    let pool = connect(&database.url, &PoolSettings::named("who-am-i")).unwrap();
    let shown: (String, String, String) = sqlx::query_as(
        "select current_setting('application_name'), current_setting('idle_in_transaction_session_timeout'),
                current_setting('timezone')",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(shown, ("who-am-i".to_owned(), "30s".to_owned(), "UTC".to_owned()));
}
