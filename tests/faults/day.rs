//! One bad day: targets of the test's own, the fleet and the load. The operator and the evening have files of their own.

mod evening;
mod operator;

pub(crate) use operator::Back;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use backbone::process::Process;
use backbone::source;
use bed::Gate;
use platform::redis::Cache;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sqlx::PgPool;
use tokio::sync::Mutex;

use crate::groups::Groups;
use crate::relay::Relay;
use crate::truth::Truth;
use crate::writer::{Load, Pen};

pub(crate) const MERCHANT: &str = "commerce.public.merchant";
pub(crate) const CATEGORY: &str = "commerce.public.category";
pub(crate) const PRODUCT: &str = "commerce.public.product";
pub(crate) const VARIANT: &str = "commerce.public.variant";
pub(crate) const ROLE: &str = "identity.public.role";
pub(crate) const POLICY: &str = "identity.public.policy";
/// Everything that the fleet reads.
pub(crate) const TOPICS: [&str; 6] = [MERCHANT, CATEGORY, PRODUCT, VARIANT, ROLE, POLICY];

pub(crate) const MERCHANT_TAX: &str = "merchant-tax";
pub(crate) const INVENTORY_DEFAULTS: &str = "inventory-defaults";
pub(crate) const SEARCH_SYNC: &str = "search-sync";
pub(crate) const CACHE_INVALIDATION: &str = "cache-invalidation";
/// The fleet, and what each consumer reads.
const FLEET: [(&str, &[&str]); 4] = [
    (MERCHANT_TAX, &[MERCHANT]),
    (INVENTORY_DEFAULTS, &[MERCHANT, VARIANT]),
    (SEARCH_SYNC, &[MERCHANT, CATEGORY, PRODUCT, VARIANT]),
    (CACHE_INVALIDATION, &[MERCHANT, CATEGORY, PRODUCT, ROLE, POLICY]),
];
/// All of the fleet, in one process.
pub(crate) const ALL: [&str; 4] = [MERCHANT_TAX, INVENTORY_DEFAULTS, SEARCH_SYNC, CACHE_INVALIDATION];

/// What has not changed for so long in the evening does not change any more.
const STILLNESS: Duration = Duration::from_secs(30);

pub(crate) struct Day {
    number: u32,
    fault: &'static str,
    pub(crate) seed: u64,
    /// How many loads there were.
    loads: AtomicU64,
    /// How many rows the load changes at least.
    pub(crate) events: u64,
    /// No row that is made in it has a lower id.
    pub(crate) first_id: i64,
    pub(crate) invoice: bed::Database,
    pub(crate) inventory: bed::Database,
    pub(crate) backbone: bed::Database,
    /// Where `backbone` is when no storm is before it.
    control: String,
    pub(crate) commerce: PgPool,
    pub(crate) groups: Groups,
    collection: String,
    cache: Cache,
    /// By consumer.
    names: BTreeMap<&'static str, String>,
    variables: BTreeMap<String, String>,
    /// `backbone` and Redis are away for a moment of every day.
    storms: Vec<Arc<Mutex<Gate>>>,
    recovered: Option<Duration>,
    /// How many records it is right to park.
    parked: i64,
    _heads: tempfile::TempDir,
}

impl Day {
    /// A fleet of its own that begins where the topics end now.
    pub(crate) async fn begin(number: u32, fault: &'static str) -> Self {
        let day = Box::pin(Self::before(number, fault, setting("APP_ENV_KAFKA_BROKERS"))).await;
        let (groups, names) = (day.groups.clone(), day.names.clone());
        let noted = tokio::task::spawn_blocking(move || {
            let ends = groups.ends();
            for group in names.values() {
                groups.begin(group, &ends);
            }
        });
        noted.await.unwrap();
        day
    }

    /// A fleet that reads a relay's brokers from the beginning. They keep little, so the day is not long.
    pub(crate) async fn behind(number: u32, fault: &'static str, relay: &Relay) -> Self {
        let mut day = Box::pin(Self::before(number, fault, relay.brokers())).await;
        day.events = day.events.min(8_000);
        day
    }

    async fn before(number: u32, fault: &'static str, brokers: String) -> Self {
        platform::tls::install();
        let seed = seed();
        println!("{number} {fault}: SLUICE_FAULTS_SEED={seed}");
        let (invoice, inventory, backbone) =
            tokio::join!(bed::database("invoice"), bed::database("inventory"), bed::database("backbone"));
        evening::remember_every_write(&invoice).await;
        let redis = setting("APP_ENV_REDIS_URL");
        let (control, redis_gate) = (Gate::before(&backbone.url), Gate::before(&redis));
        let collection = format!("{}x", bed::unique("products"));
        let heads = tempfile::tempdir().unwrap();
        let names: BTreeMap<_, _> = ALL.into_iter().map(|consumer| (consumer, bed::unique(consumer))).collect();
        let mut variables: BTreeMap<String, String> = [
            ("APP_ENV_KAFKA_BROKERS", brokers.clone()),
            ("INVOICE__APP_ENV_DB_URL", invoice.url.clone()),
            ("INVENTORY__APP_ENV_DB_URL", inventory.url.clone()),
            ("BACKBONE__APP_ENV_DB_URL", control.through(&backbone.url)),
            ("APP_ENV_REDIS_URL", redis_gate.through(&redis)),
            ("APP_ENV_TYPESENSE_COLLECTION", collection.clone()),
            // the least that a broker takes: a worker that is killed is missed for as long
            ("APP_ENV_KAFKA_SESSION_MS", "6000".to_owned()),
            ("APP_ENV_LOG", "info".to_owned()),
            ("APP_ENV_AUDIT_KEY", "5c".repeat(32)),
            ("APP_ENV_AUDIT_HEADS_URL", url::Url::from_directory_path(heads.path()).unwrap().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (consumer, group) in &names {
            let scope = consumer.replace('-', "_").to_uppercase();
            variables.insert(format!("{scope}__APP_ENV_KAFKA_GROUP"), group.clone());
        }
        let commerce = setting("COMMERCE__APP_ENV_DB_URL");
        Self {
            number,
            fault,
            seed,
            loads: AtomicU64::new(0),
            events: number_of("SLUICE_FAULTS_EVENTS").unwrap_or(1_500),
            // of ids of the same millisecond this may be the higher one
            first_id: source::id() - (1 << 22),
            control: backbone.url.clone(),
            commerce: sqlx::postgres::PgPoolOptions::new().max_connections(4).connect_lazy(&commerce).unwrap(),
            groups: Groups::at(brokers),
            cache: Cache::connect_with(&redis, Duration::from_secs(30)).unwrap(),
            storms: vec![Arc::new(Mutex::new(control)), Arc::new(Mutex::new(redis_gate))],
            invoice,
            inventory,
            backbone,
            collection,
            names,
            variables,
            recovered: None,
            parked: 0,
            _heads: heads,
        }
    }

    /// Another value of a variable for every process that is started from now on.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Commerce's database is in the cluster at this port of this machine.
    pub(crate) fn move_source(&mut self, port: u16) {
        for name in ["COMMERCE__APP_ENV_DB_URL", "COMMERCE_READER__APP_ENV_DB_URL"] {
            let mut moved: url::Url = setting(name).parse().unwrap();
            moved.set_port(Some(port)).unwrap();
            self.set(name, moved);
        }
        self.set("COMMERCE__APP_ENV_POSTGRES_PORT", port.to_string());
        let commerce = &self.variables["COMMERCE__APP_ENV_DB_URL"];
        self.commerce = sqlx::postgres::PgPoolOptions::new().max_connections(4).connect_lazy(commerce).unwrap();
    }

    /// How often a fault comes in a day of this length: so often in a short one.
    pub(crate) fn rounds(&self, in_a_short_one: u64) -> u64 {
        in_a_short_one * (self.events / 10_000).max(1)
    }

    /// A day of `make faults`.
    pub(crate) fn is_long(&self) -> bool {
        self.events > 10_000
    }

    /// How long a change may take to arrive: behind a million others, longer.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_mins(if self.is_long() { 10 } else { 2 })
    }

    /// How many partitions a topic has now.
    pub(crate) async fn partitions(&self, topic: &'static str) -> usize {
        let groups = self.groups.clone();
        tokio::task::spawn_blocking(move || groups.ends().elements_for_topic(topic).len()).await.unwrap()
    }

    /// The group of a consumer.
    pub(crate) fn group(&self, consumer: &str) -> &str {
        &self.names[consumer]
    }

    /// What a process of this day is told.
    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// A worker process with these consumers.
    pub(crate) fn worker(&self, consumers: &[&str]) -> Process {
        Process::start(&[&["consume"], consumers].concat(), &self.variables())
    }

    /// Random changes until [`Load::end`], and a moment without `backbone` and without Redis.
    pub(crate) fn load(&self) -> Load {
        self.load_after(Truth::default())
    }

    /// The same after earlier changes.
    pub(crate) fn load_after(&self, truth: Truth) -> Load {
        let mut random = StdRng::seed_from_u64(self.seed ^ 1);
        for storm in &self.storms {
            let (storm, wait, length) =
                (storm.clone(), random.random_range(200..3_000), random.random_range(200..1_500));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let mut gate = storm.lock().await;
                gate.close().await;
                tokio::time::sleep(Duration::from_millis(length)).await;
                gate.open();
            });
        }
        Load::begin(self.pen(), truth)
    }

    fn pen(&self) -> Pen {
        let (commerce, cache) = (self.commerce.clone(), self.cache.clone());
        // changes that were lost with their source are not made once more after them
        let seed = self.seed.wrapping_add(self.loads.fetch_add(1, Ordering::Relaxed));
        Pen { commerce, cache, seed, events: self.events, is_short: !self.is_long() }
    }

    /// It is right that so many records are parked.
    pub(crate) fn expect_parked(&mut self, records: i64) {
        self.parked = records;
    }

    /// Waits until the fleet is at work.
    pub(crate) async fn ready(&self) {
        self.arrival().await;
    }

    /// What was wrong is right again: measures how long a change that is committed now takes to arrive.
    pub(crate) async fn recover(&mut self) {
        self.recovered = Some(self.arrival().await.max(self.recovered.unwrap_or_default()));
    }

    async fn arrival(&self) -> Duration {
        let (began, canary) = (Instant::now(), source::id());
        source::insert(&self.commerce, canary, "Chim hoàng yến", None).await;
        let mut is_there = false;
        while !is_there {
            assert!(
                began.elapsed() < self.patience(),
                "{}: a change that was committed after it never arrived",
                self.fault
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
            is_there = sqlx::query_scalar("select exists (select from tax_info where merchant_id = $1)")
                .bind(canary)
                .fetch_one(&self.invoice.pool)
                .await
                .unwrap_or(false);
        }
        began.elapsed()
    }
}

/// What all that is random in this test is drawn from.
pub(crate) fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| number_of("SLUICE_FAULTS_SEED").unwrap_or_else(|| rand::rng().random()))
}

/// A variable of the stack.
pub(crate) fn setting(name: &str) -> String {
    bed::environment().get(name).unwrap_or_else(|| panic!("the stack has no {name}")).to_owned()
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}
