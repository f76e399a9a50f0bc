//! Redis or the control database down, Redis emptied.

use std::time::Duration;

use cache_invalidation::{CacheInvalidation, NAME, Seen};
use platform::cache_key;
use platform::redis::Cache;
use runtime::verdict::Verdict;
use runtime::{Consumer as _, Fault, frontier};
use schemas::Row as _;
use schemas::commerce::product::Product;
use schemas::identity::policy::Policy;
use sqlx::postgres::PgPoolOptions;

use crate::stand::{Stand, cache, no_row, row};

#[tokio::test]
async fn with_redis_down_the_consumer_waits_and_its_mark_does_too() {
    let stand = Stand::new().await;
    // Port 1 of the loopback: nothing listens there.
    let down = || Cache::connect("redis://127.0.0.1:1/0").unwrap();
    let changes = [
        row(Policy::TOPIC, 1, Seen::Permission),
        row(Product::TOPIC, 2, Seen::Of { merchant_id: 1 }),
        no_row(Product::TOPIC, 3),
    ];
    for change in &changes {
        let consumer = CacheInvalidation::new(down(), stand.database.pool.clone());
        let fault = consumer.apply(&stand.batch(std::slice::from_ref(change))).await.unwrap_err();
        assert!(matches!(fault, Fault::Unavailable { .. }), "{fault}");
        assert_eq!(fault.verdict(), Verdict::Retry);
    }
    let marked = || frontier::read(&stand.database.pool, NAME, "commerce.public.product", 0);
    assert_eq!(marked().await.unwrap(), None);
    stand.apply(&changes).await;
    assert_eq!(marked().await.unwrap(), Some(8));
    stand.end().await;
}

#[tokio::test]
async fn with_the_control_database_down_it_drops_and_waits() {
    let stand = Stand::new().await;
    stand.cache_footers(&[1]).await;
    let nowhere = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(200))
        .connect_lazy("postgres://nobody@127.0.0.1:1/nowhere")
        .unwrap();
    let consumer = CacheInvalidation::new(cache(&stand.client), nowhere);
    let batch = stand.batch(&[row(Product::TOPIC, 2, Seen::Of { merchant_id: 1 })]);
    let fault = consumer.apply(&batch).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Retry);
    assert!(stand.footers_of(&[1]).await.is_empty(), "what is wrong is gone all the same");
    stand.end().await;
}

#[tokio::test]
async fn a_redis_that_was_emptied_or_set_back_never_comes_to_an_earlier_generation() {
    let stand = Stand::new().await;
    let policy = [row(Policy::TOPIC, 1, Seen::Permission)];
    let mut last = 0;
    for _ in 0..3 {
        stand.apply(&policy).await;
        let generation = stand.generation().await.unwrap();
        assert!(generation > last);
        last = generation;
    }
    let _: () = redis::cmd("FLUSHDB").query_async(&mut stand.redis.clone()).await.unwrap();
    // More changes than milliseconds have passed would be needed to meet the earlier numbers again.
    tokio::time::sleep(Duration::from_millis(10)).await;
    stand.apply(&policy).await;
    assert!(stand.generation().await.unwrap() > last);
    let _: () =
        redis::cmd("SET").arg(cache_key::AUTHZ_GENERATION).arg(40).query_async(&mut stand.redis.clone()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    stand.apply(&policy).await;
    assert!(stand.generation().await.unwrap() > last);
    stand.end().await;
}

#[tokio::test]
async fn a_generation_that_is_no_number_is_replaced() {
    let stand = Stand::new().await;
    let _: () = redis::cmd("SET")
        .arg(cache_key::AUTHZ_GENERATION)
        .arg("x")
        .query_async(&mut stand.redis.clone())
        .await
        .unwrap();
    stand.apply(&[row(Policy::TOPIC, 1, Seen::Permission)]).await;
    assert!(stand.generation().await.unwrap() > 0);
    stand.end().await;
}
