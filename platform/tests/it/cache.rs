//! Redis when it is there.

use std::time::Duration;

use platform::redis::Cache;
use tokio_util::sync::CancellationToken;

fn cache() -> Cache {
    Cache::connect_with(bed::environment().get("APP_ENV_REDIS_URL").unwrap(), Duration::from_secs(30)).unwrap()
}

#[tokio::test]
async fn what_was_set_is_there_until_it_is_forgotten() {
    let (cache, key) = (cache(), bed::unique("test:cache"));
    assert_eq!(cache.get(&key).await, None);
    cache.set(&key, "value", Duration::from_mins(1)).await;
    assert_eq!(cache.get(&key).await.as_deref(), Some("value"));
    assert!(cache.forget(std::slice::from_ref(&key)).await);
    assert_eq!(cache.get(&key).await, None);
    assert_eq!(cache.increment(&key).await, Some(1));
    assert_eq!(cache.increment(&key).await, Some(2));
    cache.forget(&[key]).await;
}

#[tokio::test]
async fn a_subscriber_hears_that_it_is_connected_and_then_every_message() {
    let (cache, channel, stop) = (cache(), bed::unique("test:channel"), CancellationToken::new());
    let (heard, mut hearing) = tokio::sync::mpsc::unbounded_channel();
    let subscribed = tokio::spawn({
        let (cache, channel, stop) = (cache.clone(), channel.clone(), stop.clone());
        async move { cache.subscribe(&channel, stop, move |message| drop(heard.send(message))).await }
    });
    assert_eq!(hearing.recv().await, Some(None));
    assert!(cache.publish(&channel, "7").await);
    assert_eq!(hearing.recv().await, Some(Some("7".to_owned())));
    stop.cancel();
    subscribed.await.unwrap();
}
