//! The whole service, from its configuration to its stop.

use std::sync::Arc;

use platform::clock::SystemClock;
use platform::config::{Environment, Invalid};
use platform::lifecycle::Lifecycle;
use platform::random::SystemRandom;
use platform::redis::Cache;
use shell::issuer::Issuer;
use shell::kit::Outside;

fn outside(lifecycle: &Lifecycle) -> Outside {
    Outside {
        authority: Arc::new(Issuer::default()),
        cache: Cache::none(),
        clock: SystemClock::shared(),
        random: SystemRandom::shared(),
        lifecycle: lifecycle.clone(),
    }
}

#[tokio::test]
async fn it_refuses_to_start_and_names_every_setting_that_is_missing() {
    let refused = invoice::prepare(&Environment::default(), outside(&Lifecycle::new())).err().expect("it is refused");
    let invalid: &Invalid = refused.downcast_ref().expect("what is wrong is the configuration");
    let all = invalid.faults.join("\n");
    for name in ["APP_ENV_DB_URL", "APP_ENV_CURSOR_SECRET", "APP_ENV_APPLICATION_SECRET"] {
        assert!(all.contains(name), "{all}");
    }
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_stop_and_gives_its_replica_back() {
    let database = bed::database("invoice").await;
    let secret = "ab".repeat(32);
    let environment = Environment::from_pairs([
        ("INVOICE__APP_ENV_DB_URL", database.url.as_str()),
        ("APP_ENV_CURSOR_SECRET", &secret),
        ("APP_ENV_APPLICATION_SECRET", &secret),
        ("APP_ENV_PORT", "0"),
    ]);
    let lifecycle = Lifecycle::new();
    let serving = tokio::spawn({
        let outside = outside(&lifecycle);
        async move { invoice::prepare(&environment, outside).unwrap().serve().await }
    });
    let leased = "select count(*) from snowflake_replica where leased_until > now()";
    let count = || sqlx::query_scalar::<_, i64>(leased).fetch_one(&database.pool);
    while count().await.unwrap() == 0 {
        assert!(!serving.is_finished(), "{:?}", serving.await);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    lifecycle.stop().cancel();
    serving.await.unwrap().unwrap();
    assert_eq!(count().await.unwrap(), 0);
}
