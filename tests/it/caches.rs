//! What is cached in Redis goes the moment its source changes.

use std::time::Duration;

use backbone::eventually;
use backbone::process::Process;
use backbone::source::{self, commerce};
use platform::cache_key::merchant_footer;
use platform::redis::Cache;

#[tokio::test]
async fn a_cached_footer_is_dropped_by_a_change_of_its_merchant() {
    let backbone = bed::database("backbone").await;
    let group = bed::unique("cache-invalidation");
    let consumer = Process::start(
        &["consume", "cache-invalidation"],
        &[("APP_ENV_KAFKA_GROUP", group.as_str()), ("BACKBONE__APP_ENV_DB_URL", &backbone.url)],
    );
    let environment = bed::environment();
    let cache = Cache::connect(environment.get("APP_ENV_REDIS_URL").unwrap()).unwrap();
    let (commerce, merchant) = (commerce(), source::id());
    source::insert(&commerce, merchant, "Bánh mì Phượng", None).await;
    let key = merchant_footer(merchant);
    // The insert's own change may still be on its way: the key is set until it stays, then dropped by the update.
    tokio::time::sleep(Duration::from_secs(3)).await;
    cache.set(&key, "cached", Duration::from_mins(5)).await;
    assert_eq!(cache.get(&key).await.as_deref(), Some("cached"));
    sqlx::query("update merchant set name = 'Bánh mì', version = 2 where id = $1")
        .bind(merchant)
        .execute(&commerce)
        .await
        .unwrap();
    eventually("the footer", None, || cache.get(&key)).await;
    consumer.kill().await;
}
