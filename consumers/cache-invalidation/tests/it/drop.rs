//! What is dropped, and what is not.

use cache_invalidation::{CacheInvalidation, NAME, Seen};
use futures::StreamExt as _;
use platform::cache_key;
use redis::AsyncCommands as _;
use runtime::{Consumer as _, Outcome, frontier};
use schemas::Row as _;
use schemas::commerce::{category::Category, merchant::Merchant, product::Product};
use schemas::identity::{policy::Policy, role::Role};

use crate::stand::{Stand, no_row, row};

#[tokio::test]
async fn a_batch_of_policies_begins_one_generation_and_announces_it() {
    let stand = Stand::new().await;
    // Beyond today's milliseconds, so that exactly one is added; and a number that no other test announces, because
    // channels know no numbered databases.
    let before = 4_000_000_000_000 + i64::from(rand_start());
    let _: () = stand.redis.clone().set(cache_key::AUTHZ_GENERATION, before).await.unwrap();
    let mut heard = stand.client.get_async_pubsub().await.unwrap();
    heard.subscribe(cache_key::AUTHZ_CHANNEL).await.unwrap();
    let mut changes: Vec<_> = (1..100).map(|id| row(Policy::TOPIC, id, Seen::Permission)).collect();
    changes.push(no_row(Role::TOPIC, 7));
    let outcome = stand.apply(&changes).await;
    assert_eq!(outcome.entities(Outcome::APPLIED), 100);
    assert_eq!(stand.generation().await, Some(before + 1));
    let mut messages = heard.on_message();
    loop {
        let message: String = messages.next().await.unwrap().get_payload().unwrap();
        if message == (before + 1).to_string() {
            break;
        }
    }
    drop(messages);
    stand.end().await;
}

fn rand_start() -> u32 {
    let name = bed::unique("generation");
    u32::from_str_radix(name.rsplit('_').next().unwrap(), 16).unwrap()
}

#[tokio::test]
async fn rows_of_commerce_drop_their_merchants_footers_and_no_other() {
    let stand = Stand::new().await;
    let merchants = [1, 2, 3, 4, 11];
    stand.cache_footers(&merchants).await;
    let of = |merchant_id| Seen::Of { merchant_id };
    stand
        .apply(&[
            row(Merchant::TOPIC, 1, of(1)),
            row(Category::TOPIC, 50, of(2)),
            row(Product::TOPIC, 60, of(3)),
            row(Product::TOPIC, 61, of(3)),
        ])
        .await;
    assert_eq!(stand.footers_of(&merchants).await, [4, 11]);
    assert_eq!(stand.generation().await, None, "permissions have nothing to do with it");
    stand.apply(&[no_row(Merchant::TOPIC, 4)]).await;
    assert_eq!(stand.footers_of(&merchants).await, [11]);
    stand.end().await;
}

#[tokio::test]
async fn a_product_that_was_really_deleted_drops_every_footer_and_nothing_else() {
    let stand = Stand::new().await;
    let merchants: Vec<i64> = (1..=1_200).collect();
    stand.cache_footers(&merchants).await;
    let _: () = stand.redis.clone().set("commerce:else", "kept").await.unwrap();
    stand.apply(&[no_row(Product::TOPIC, 60)]).await;
    assert!(stand.footers_of(&merchants).await.is_empty());
    assert!(stand.redis.clone().exists::<_, bool>("commerce:else").await.unwrap());
    stand.end().await;
}

#[tokio::test]
async fn a_thousand_merchants_are_dropped_by_one_batch() {
    let stand = Stand::new().await;
    let merchants: Vec<i64> = (1..=1_100).collect();
    stand.cache_footers(&merchants).await;
    let changes: Vec<_> = merchants.iter().map(|id| row(Merchant::TOPIC, *id, Seen::Of { merchant_id: *id })).collect();
    for _ in 0..2 {
        stand.apply(&changes).await;
        assert!(stand.footers_of(&merchants).await.is_empty(), "and twice is as once");
    }
    stand.end().await;
}

#[tokio::test]
async fn the_mark_is_written_to_the_control_database() {
    let stand = Stand::new().await;
    stand.apply(&[]).await;
    let next = frontier::read(&stand.database.pool, NAME, "commerce.public.product", 0).await.unwrap();
    assert_eq!(next, Some(8));
    stand.end().await;
}

#[tokio::test]
async fn the_consumer_reads_the_five_topics() {
    let stand = Stand::new().await;
    let names =
        |consumer: &CacheInvalidation| consumer.topics().iter().map(|t| t.name().to_string()).collect::<Vec<_>>();
    assert_eq!(names(&stand.consumer), [Role::TOPIC, Policy::TOPIC, Merchant::TOPIC, Category::TOPIC, Product::TOPIC]);
    stand.end().await;
}
