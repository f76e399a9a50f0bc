//! Redis: a cache and a fan-out, never needed. No operation here fails: one that cannot be done answers as an empty
//! cache would, is counted, and after a failure Redis is left alone for a moment, so that a dead one costs no request
//! more than the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metric;

/// How long an operation may take before Redis counts as down, unless somebody is more patient.
const PATIENCE: Duration = Duration::from_millis(100);
/// For how long Redis is left alone after a failure.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// A connection to Redis, or none. Clones share it.
#[derive(Clone)]
pub struct Cache {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    patience: Duration,
    client: Client,
    manager: OnceCell<ConnectionManager>,
    started: Instant,
    /// Milliseconds after `started` until which Redis is left alone.
    resting_until: AtomicI64,
}

impl Cache {
    /// A cache at this URL (`redis://host:port/0`). Touches no network.
    ///
    /// # Errors
    /// When the URL is not one.
    pub fn connect(url: &str) -> Result<Self, RedisError> {
        Self::connect_with(url, PATIENCE)
    }

    /// As [`Cache::connect`], but an operation may take this long: for work that nobody waits for.
    ///
    /// # Errors
    /// When the URL is not one.
    pub fn connect_with(url: &str, patience: Duration) -> Result<Self, RedisError> {
        let inner = Inner {
            patience,
            client: Client::open(url)?,
            manager: OnceCell::new(),
            started: Instant::now(),
            resting_until: AtomicI64::new(0),
        };
        Ok(Self { inner: Some(Arc::new(inner)) })
    }

    /// A cache that is always empty and forgets everything.
    #[must_use]
    pub fn none() -> Self {
        Self { inner: None }
    }

    /// The value under a key, if Redis has it and answers.
    pub async fn get(&self, key: &str) -> Option<String> {
        self.run::<Option<String>>("get", redis::cmd("GET").arg(key)).await.flatten()
    }

    /// Stores a value for a time.
    pub async fn set(&self, key: &str, value: &str, keep: Duration) {
        let millis = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        self.run::<()>("set", redis::cmd("SET").arg(key).arg(value).arg("PX").arg(millis)).await;
    }

    /// Forgets keys. Answers whether Redis did it: a caller that must invalidate tries again.
    pub async fn forget(&self, keys: &[String]) -> bool {
        keys.is_empty() || self.run::<i64>("forget", redis::cmd("DEL").arg(keys)).await.is_some()
    }

    /// Adds one to a counter and answers its new value.
    pub async fn increment(&self, key: &str) -> Option<i64> {
        self.run("increment", redis::cmd("INCR").arg(key)).await
    }

    /// Announces a message. Answers whether Redis took it.
    pub async fn publish(&self, channel: &str, message: &str) -> bool {
        self.run::<i64>("publish", redis::cmd("PUBLISH").arg(channel).arg(message)).await.is_some()
    }

    /// Any other command, under the same rules; `operation` names it in the metric.
    pub async fn run<T: FromRedisValue>(&self, operation: &'static str, command: &Cmd) -> Option<T> {
        let inner = self.inner.as_ref()?;
        if inner.is_resting() {
            metrics::counter!(metric::REDIS_FAILURES, "operation" => operation).increment(1);
            return None;
        }
        let answer = tokio::time::timeout(inner.patience, async {
            let mut manager = inner.manager().await?;
            command.query_async::<T>(&mut manager).await
        });
        let failure = match answer.await {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        inner.rest();
        metrics::counter!(metric::REDIS_FAILURES, "operation" => operation).increment(1);
        tracing::debug!(operation, error = failure, "redis did not {operation}; going on without it");
        None
    }

    /// Calls `on_message` for every message on a channel, and with `None` after every (re)connection, because messages
    /// may have been missed. Reconnects by itself; ends at `stop`. Run it as a task.
    pub async fn subscribe(&self, channel: &str, stop: CancellationToken, on_message: impl Fn(Option<String>) + Send) {
        let Some(inner) = &self.inner else { return };
        let mut pause = Duration::from_millis(500);
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                ended = inner.listen(channel, &on_message) => {
                    if ended.is_ok() { pause = Duration::from_millis(500); }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(10)),
            }
        }
    }
}

impl Inner {
    async fn manager(&self) -> Result<ConnectionManager, RedisError> {
        let make = || {
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(0)
                .set_response_timeout(Some(self.patience))
                .set_connection_timeout(Some(self.patience));
            std::future::ready(ConnectionManager::new_lazy_with_config(self.client.clone(), config))
        };
        self.manager.get_or_try_init(make).await.cloned()
    }

    async fn listen(&self, channel: &str, on_message: &(impl Fn(Option<String>) + Send)) -> Result<(), RedisError> {
        let mut subscription = self.client.get_async_pubsub().await?;
        subscription.subscribe(channel).await?;
        on_message(None);
        let mut messages = subscription.on_message();
        while let Some(message) = messages.next().await {
            on_message(message.get_payload().ok());
        }
        Ok(())
    }

    fn is_resting(&self) -> bool {
        self.elapsed() < self.resting_until.load(Ordering::Relaxed)
    }

    fn rest(&self) {
        let until = self.elapsed() + i64::try_from(LEFT_ALONE.as_millis()).unwrap_or(0);
        self.resting_until.store(until, Ordering::Relaxed);
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_redis_that_is_down_is_an_empty_cache() {
        // Port 1 of the loopback: nothing listens there.
        for cache in [Cache::connect("redis://127.0.0.1:1/0").unwrap(), Cache::none()] {
            cache.set("key", "value", Duration::from_secs(1)).await;
            assert_eq!(cache.get("key").await, None);
            assert!(!cache.publish("channel", "message").await);
            assert_eq!(cache.increment("counter").await, None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_it_is_left_alone_for_a_moment() {
        let cache = Cache::connect("redis://127.0.0.1:1/0").unwrap();
        cache.get("key").await;
        let inner = cache.inner.unwrap();
        assert!(inner.is_resting());
        tokio::time::advance(LEFT_ALONE).await;
        assert!(!inner.is_resting());
    }
}
