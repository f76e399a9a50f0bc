//! From the configuration to the last answer.

use std::sync::Arc;

use platform::config::{Environment, Invalid};
use platform::lifecycle::Lifecycle;
use shell::issuer::Issuer;

use crate::serving::{Serving, outside};

#[tokio::test]
async fn a_wrong_configuration_names_every_variable_and_opens_no_port() {
    let environment = Environment::from_pairs([("APP_ENV_MEDIA_URL", "nowhere"), ("APP_ENV_CURSOR_SECRET", "short")]);
    let outside = outside(Arc::new(Issuer::default()), Lifecycle::new());
    let refused = commerce::prepare(&environment, outside).err().expect("it is refused");
    let invalid: &Invalid = refused.downcast_ref().expect("what is wrong is the configuration");
    let all = invalid.faults.join("\n");
    for variable in ["APP_ENV_DB_URL", "APP_ENV_MEDIA_URL", "APP_ENV_CURSOR_SECRET", "APP_ENV_APPLICATION_SECRET"] {
        assert!(all.contains(variable), "{variable} is not in: {all}");
    }
}

#[tokio::test]
async fn the_service_gets_ready_and_stops_when_told() {
    let database = bed::database("commerce").await;
    let service = Serving::start(&database.url).await;
    service.expect("/readyz", 200).await;
    assert_eq!(service.status("/v1/api/commerce/healthz").await, Some(200));
    assert_eq!(service.status("/v1/api/commerce/doc").await, Some(200));
    assert_eq!(service.status("/v1/api/commerce/merchants").await, Some(401));
    let leased: i64 = sqlx::query_scalar("select count(*) from snowflake_replica where leased_until > now()")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(leased, 1);
    let url = service.url.clone();
    service.stop().await;
    let refused = reqwest::get(format!("{url}/healthz")).await.unwrap_err();
    assert!(refused.is_connect(), "{refused}");
}
