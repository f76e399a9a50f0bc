//! What the tests stand on: a numbered Redis database of their own, a control database of their own, changes made by hand.

use cache_invalidation::{CacheInvalidation, NAME, Plan, Seen};
use platform::cache_key;
use platform::redis::Cache;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, Client};
use runtime::frontier::{Fingerprint, Mark};
use runtime::{Batch, Change, Consumer as _, Coordinates, Decision, Effect, EntityKey, Planned};
use schemas::Position;

/// A consumer with a Redis and a control database of its own.
pub(crate) struct Stand {
    pub(crate) database: bed::Database,
    pub(crate) consumer: CacheInvalidation,
    pub(crate) redis: MultiplexedConnection,
    pub(crate) client: Client,
    lease: String,
}

impl Stand {
    pub(crate) async fn new() -> Self {
        let (client, mut redis, lease) = lease_redis().await;
        let _: () = redis::cmd("FLUSHDB").query_async(&mut redis).await.unwrap();
        let database = bed::database("backbone").await;
        let consumer = CacheInvalidation::new(cache(&client), database.pool.clone());
        Self { database, consumer, redis, client, lease }
    }

    pub(crate) fn batch(&self, changes: &[Change<Seen>]) -> Batch<Plan> {
        let plans = changes.iter().map(|change| {
            let Decision::Apply(plan) = self.consumer.decide(change) else { panic!("{change:?} is not applied") };
            let (entity, coordinates) = (change.entity.clone(), change.coordinates.clone());
            Planned { entity, position: change.position, coordinates, plan }
        });
        let fingerprint = Fingerprint::of(1, None, None);
        let mark = Mark { topic: "commerce.public.product".into(), partition: 0, next_offset: 8, fingerprint };
        Batch { consumer: NAME, plans: plans.collect(), mark: Some(mark) }
    }

    pub(crate) async fn apply(&self, changes: &[Change<Seen>]) -> runtime::Outcome {
        self.consumer.apply(&self.batch(changes)).await.unwrap()
    }

    pub(crate) async fn generation(&self) -> Option<i64> {
        self.redis.clone().get(cache_key::AUTHZ_GENERATION).await.unwrap()
    }

    /// Caches a footer for each merchant.
    pub(crate) async fn cache_footers(&self, merchants: &[i64]) {
        for merchant in merchants {
            let _: () = self.redis.clone().set(cache_key::merchant_footer(*merchant), "{}").await.unwrap();
        }
    }

    /// Which of the merchants have a footer cached.
    pub(crate) async fn footers_of(&self, merchants: &[i64]) -> Vec<i64> {
        let mut cached = Vec::new();
        for merchant in merchants {
            if self.redis.clone().exists(cache_key::merchant_footer(*merchant)).await.unwrap() {
                cached.push(*merchant);
            }
        }
        cached
    }

    /// Gives the database back early; otherwise it comes free by itself.
    pub(crate) async fn end(self) {
        let mut first = self.client.get_multiplexed_async_connection().await.unwrap();
        let _: () = redis::cmd("SELECT").arg(0).query_async(&mut first).await.unwrap();
        let _: () = first.del(&self.lease).await.unwrap();
    }
}

/// A cache without a URL in sight.
pub(crate) fn cache(client: &Client) -> Cache {
    let info = client.get_connection_info();
    let base = url();
    let base = base.rsplit_once('/').map_or(base.as_str(), |(base, _)| base);
    Cache::connect(&format!("{base}/{}", info.redis_settings().db())).unwrap()
}

fn url() -> String {
    bed::environment().get("APP_ENV_REDIS_URL").expect("the stack has a Redis").to_owned()
}

/// A numbered database that nobody else has now: the one test process beside this one keeps apart too.
async fn lease_redis() -> (Client, MultiplexedConnection, String) {
    let url = url();
    let base = url.rsplit_once('/').map_or(url.as_str(), |(base, _)| base);
    let mut first = Client::open(format!("{base}/0")).unwrap().get_multiplexed_async_connection().await.unwrap();
    loop {
        for number in 4..16 {
            let lease = format!("test:lease:{number}");
            let taken: Option<String> = redis::cmd("SET")
                .arg(&lease)
                .arg("1")
                .arg("NX")
                .arg("EX")
                .arg(60)
                .query_async(&mut first)
                .await
                .unwrap();
            if taken.is_some() {
                let client = Client::open(format!("{base}/{number}")).unwrap();
                let connection = client.get_multiplexed_async_connection().await.unwrap();
                return (client, connection, lease);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// A row of `topic` that stands.
pub(crate) fn row(topic: &str, id: i64, seen: Seen) -> Change<Seen> {
    change(topic, id, Effect::Upsert { row: seen, update: true })
}

/// A row of `topic` that was really deleted.
pub(crate) fn no_row(topic: &str, id: i64) -> Change<Seen> {
    change(topic, id, Effect::Delete)
}

fn change(topic: &str, id: i64, effect: Effect<Seen>) -> Change<Seen> {
    Change {
        entity: EntityKey::new(topic.into(), &id.to_string()),
        coordinates: Coordinates { topic: topic.into(), partition: 0, offset: 7 },
        position: Position::default(),
        committed_ms: 0,
        effect,
    }
}
