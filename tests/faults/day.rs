//! One bad day: targets of the test's own, the fleet, the load, and what is looked at in the evening.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use backbone::process::Process;
use backbone::source;
use bed::Gate;
use platform::cache_key::merchant_footer;
use platform::redis::Cache;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgPool, Row as _};
use tokio::sync::Mutex;

use crate::groups::Groups;
use crate::relay::Relay;
use crate::report::{Evening, Report};
use crate::statement;
use crate::truth::{Change, Document, Merchant, TaxInfo, Truth};
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

/// How long a change may take to arrive.
const PATIENCE: Duration = Duration::from_mins(2);
/// What has not changed for so long in the evening does not change any more.
const STILLNESS: Duration = Duration::from_secs(30);

pub(crate) struct Day {
    number: u32,
    fault: &'static str,
    pub(crate) seed: u64,
    /// How many rows the load changes at least.
    pub(crate) events: u64,
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
        remember_every_write(&invoice).await;
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
            events: number_of("SLUICE_FAULTS_EVENTS").unwrap_or(2_500),
            control: backbone.url.clone(),
            commerce: sqlx::postgres::PgPoolOptions::new().max_connections(4).connect_lazy(&commerce).unwrap(),
            groups: Groups { brokers, topics: TOPICS.map(str::to_owned).into() },
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

    /// Runs `sluice` to its end as an operator of this day; answers its exit code and what it wrote.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> (i32, String) {
        let mut variables = self.variables();
        // an operator tries again in a storm; this one is not in it
        variables.push(("BACKBONE__APP_ENV_DB_URL", &self.control));
        Process::run(arguments, &variables).await
    }

    /// The same where it must succeed.
    pub(crate) async fn sluice(&self, arguments: &[&str]) -> String {
        let (code, said) = self.ask(arguments).await;
        assert_eq!(code, 0, "sluice {}: {said}", arguments.join(" "));
        said
    }

    /// Plans something, and does it.
    pub(crate) async fn carry_out(&self, arguments: &[&str]) -> String {
        let planned = self.sluice(&[arguments, &["--json"]].concat()).await;
        let plan: serde_json::Value = serde_json::from_str(planned.lines().last().unwrap_or_default()).unwrap();
        let token = plan["token"].as_str().unwrap_or_else(|| panic!("no token: {planned}"));
        self.sluice(&[arguments, &["--execute", token, "--reason", self.fault]].concat()).await
    }

    /// Has a partition applied again from an offset on.
    pub(crate) async fn rewind(&self, consumer: &str, topic: &str, partition: i32, to: i64) {
        let (partition, to) = (partition.to_string(), to.to_string());
        let rewind = ["rewind", consumer, "--topic", topic, "--partition", &partition, "--offset", &to];
        self.carry_out(&rewind).await;
    }

    /// Compares a target with its source and mends what differs.
    pub(crate) async fn repair(&self, consumer: &str) {
        let (code, said) = self.ask(&["reconcile", consumer, "--repair"]).await;
        if code == 0 {
            return;
        }
        let token = said.split("--execute ").nth(1).unwrap().split(' ').next().unwrap();
        let reason = ["--execute", token, "--reason", self.fault];
        self.sluice(&[["reconcile", consumer, "--repair"].as_slice(), &reason].concat()).await;
    }

    /// Asks commerce's database, or its server, for something that only an administrator may.
    pub(crate) async fn ask_source(&self, statement: &'static str) {
        let admin: PgConnectOptions = setting("APP_ENV_ADMIN_DB_URL").parse().unwrap();
        let mut connection = admin.database("commerce").connect().await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }

    /// Commits that many merchants by one COPY; answers what changed.
    pub(crate) async fn copy_merchants(&self, rows: usize) -> Vec<Change> {
        let mut connection = self.commerce.acquire().await.unwrap();
        let row = |name| Merchant { name, tax_name: None, tax_address: None, is_gone: false };
        let merchants: Vec<_> = (0..rows).map(|n| (source::id(), row(format!("Quán thứ {n}")))).collect();
        statement::copy_merchants(&mut connection, &merchants).await;
        merchants.into_iter().map(|(id, row)| Change::Merchant(id, row)).collect()
    }

    /// A process that observes, and what it measures.
    pub(crate) async fn observer(&self) -> Observer {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let (port, mut variables) = (port.to_string(), self.variables());
        variables.push(("APP_ENV_OPS_PORT", &port));
        let process = Process::start(&["observe"], &variables);
        Observer { _process: process, metrics: format!("http://127.0.0.1:{port}/metrics") }
    }

    /// Waits until every record has been read, whatever became of it.
    pub(crate) async fn read_to_the_end(&self, consumers: &[&str]) {
        let began = Instant::now();
        while self.unread(consumers).await > 0 {
            assert!(began.elapsed() < PATIENCE, "{}: not everything is read", self.fault);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The partitions of a consumer that are halted, and why: topic, partition, reason.
    pub(crate) async fn halted(&self, consumer: &str) -> Vec<(String, i32, String)> {
        sqlx::query_as(
            "select p->>'topic', (p->>'partition')::int, p->>'reason'
               from worker w, jsonb_array_elements(w.partitions) p
              where w.consumer = $1 and p->>'state' = 'halted' and w.seen_at > now() - interval '10 seconds'",
        )
        .bind(consumer)
        .fetch_all(&self.backbone.pool)
        .await
        .unwrap()
    }

    /// Waits until a partition of a consumer is halted.
    pub(crate) async fn until_halted(&self, consumer: &str) {
        let began = Instant::now();
        while self.halted(consumer).await.is_empty() {
            assert!(began.elapsed() < PATIENCE, "{}: {consumer} never halted", self.fault);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // the others of its partitions may still be finding out
        tokio::time::sleep(Duration::from_secs(3)).await;
    }

    /// How many records a consumer has parked.
    pub(crate) async fn parked(&self, consumer: &str) -> i64 {
        sqlx::query_scalar("select count(*) from parked_change where consumer = $1")
            .bind(consumer)
            .fetch_one(&self.backbone.pool)
            .await
            .unwrap()
    }

    /// Releases what is parked, as an operator who knows that the cause is gone.
    pub(crate) async fn release_everything(&self, consumers: &[&str]) {
        for consumer in consumers {
            if self.parked(consumer).await > 0 {
                self.carry_out(&["parked", "release", consumer, "--all"]).await;
            }
        }
    }

    /// How often a fault comes in a day of this length: so often in a short one.
    pub(crate) fn rounds(&self, in_a_short_one: u64) -> u64 {
        in_a_short_one * (self.events / 10_000).max(1)
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
        let at_once = if self.events > 10_000 { 5_000 } else { 600 };
        let (commerce, cache) = (self.commerce.clone(), self.cache.clone());
        Pen { commerce, cache, seed: self.seed, events: self.events, at_once }
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
            assert!(began.elapsed() < PATIENCE, "{}: a change that was committed after it never arrived", self.fault);
            tokio::time::sleep(Duration::from_millis(20)).await;
            is_there = sqlx::query_scalar("select exists (select from tax_info where merchant_id = $1)")
                .bind(canary)
                .fetch_one(&self.invoice.pool)
                .await
                .unwrap_or(false);
        }
        began.elapsed()
    }

    /// Waits until the fleet is quiet, compares every target with the truth, and writes the report.
    pub(crate) async fn end(self, truth: &Truth) {
        self.end_with(&ALL, truth).await;
    }

    /// The same where only these consumers ran.
    pub(crate) async fn end_with(self, consumers: &[&str], truth: &Truth) {
        let mut evening = self.look(consumers, truth).await;
        let mut changed = Instant::now();
        while !evening.is_right(self.parked) && changed.elapsed() < STILLNESS {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let later = self.look(consumers, truth).await;
            if later != evening {
                changed = Instant::now();
            }
            evening = later;
        }
        Report {
            number: self.number,
            fault: self.fault,
            seed: self.seed,
            events: truth.events,
            recovered: self.recovered,
            evening: &evening,
        }
        .write();
        assert!(
            evening.is_right(self.parked),
            "{} (SLUICE_FAULTS_SEED={}): {evening:#?}, and {} parked records are right",
            self.fault,
            self.seed,
            self.parked
        );
        crate::engine::forget(&self.collection).await;
    }

    /// How the targets differ from the truth now.
    pub(crate) async fn look(&self, consumers: &[&str], truth: &Truth) -> Evening {
        let mut evening = Evening { behind: self.unread(consumers).await, ..Evening::default() };
        for consumer in consumers {
            match *consumer {
                MERCHANT_TAX => {
                    evening.differ(MERCHANT_TAX, &truth.tax_infos(), &self.tax_infos(truth).await);
                    evening.regressed = self.regressed(truth).await;
                }
                INVENTORY_DEFAULTS => self.look_at_inventory(truth, &mut evening).await,
                SEARCH_SYNC => {
                    let mut shown = crate::engine::documents(&self.collection).await;
                    shown.retain(|id, _| truth.products.contains_key(id));
                    evening.differ::<Document>(SEARCH_SYNC, &truth.documents(), &shown);
                }
                _ => {
                    let mut stale = BTreeMap::new();
                    for id in &truth.cached {
                        if self.cache.get(&merchant_footer(*id)).await.is_some() {
                            stale.insert(*id, true);
                        }
                    }
                    evening.differ(CACHE_INVALIDATION, &BTreeMap::new(), &stale);
                }
            }
        }
        // another day's row that was made before this group began may lack a large value here: that is right
        let ours: Vec<i64> =
            truth.ever.iter().chain(truth.products.keys()).chain(truth.variants.keys()).copied().collect();
        let parked = sqlx::query_scalar(
            "select consumer || ' parked ' || coalesce(entity, 'a record') || ': ' || cause || ': ' || detail
               from parked_change
              where entity is null or cause <> 'refused' or substring(entity from '[0-9]+$')::bigint = any($1) order by id",
        );
        let parked: Vec<String> = parked.bind(ours).fetch_all(&self.backbone.pool).await.unwrap();
        evening.parked = i64::try_from(parked.len()).unwrap();
        evening.samples.extend(parked.into_iter().take(3));
        evening
    }

    async fn unread(&self, consumers: &[&str]) -> i64 {
        let (groups, names) = (self.groups.clone(), self.names.clone());
        let asked: Vec<_> = FLEET.into_iter().filter(|(consumer, _)| consumers.contains(consumer)).collect();
        let ask = move || {
            let ends = groups.ends();
            asked.into_iter().map(|(consumer, reads)| groups.behind(&names[consumer], reads, &ends)).sum()
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    pub(crate) async fn tax_infos(&self, truth: &Truth) -> BTreeMap<i64, TaxInfo> {
        let ids: Vec<i64> = truth.ever.iter().copied().collect();
        let rows =
            sqlx::query("select merchant_id, name, tax_name, tax_address from tax_info where merchant_id = any($1)")
                .bind(ids)
                .fetch_all(&self.invoice.pool)
                .await
                .unwrap();
        let row = |row: &sqlx::postgres::PgRow| (row.get(0), (row.get(1), row.get(2), row.get(3)));
        rows.iter().map(row).collect()
    }

    /// How often a merchant's row, or its tombstone, was written at an earlier position than before.
    async fn regressed(&self, truth: &Truth) -> i64 {
        let ids: Vec<i64> = truth.ever.iter().copied().collect();
        sqlx::query_scalar(
            "select count(*) from (
                 select position < lag(position) over (partition by merchant_id order by at) as is_back
                   from written where merchant_id = any($1)) looked
              where is_back",
        )
        .bind(ids)
        .fetch_one(&self.invoice.pool)
        .await
        .unwrap()
    }

    async fn look_at_inventory(&self, truth: &Truth, evening: &mut Evening) {
        let ever: Vec<i64> = truth.ever.iter().copied().collect();
        let found = sqlx::query(
            "select merchant_id, count(*), bool_or(deleted_at is null) from location
              where is_default and merchant_id = any($1) group by merchant_id",
        )
        .bind(ever)
        .fetch_all(&self.inventory.pool)
        .await
        .unwrap();
        evening.doubled += found.iter().filter(|row| row.get::<i64, _>(1) != 1).count();
        let shown: BTreeSet<i64> = found.iter().filter(|row| row.get(2)).map(|row| row.get(0)).collect();
        let as_map = |ids: BTreeSet<i64>| ids.into_iter().map(|id| (id, true)).collect();
        evening.differ("default locations", &as_map(truth.locations()), &as_map(shown));
        let levels = truth.levels();
        let variants: Vec<i64> = levels.keys().copied().collect();
        let found = sqlx::query(
            "select variant_id, count(*), bool_or(deleted_at is null) from stock_level
              where quantity = 0 and variant_id = any($1) group by variant_id",
        )
        .bind(variants)
        .fetch_all(&self.inventory.pool)
        .await
        .unwrap();
        evening.doubled += found.iter().filter(|row| row.get::<i64, _>(1) != 1).count();
        let mut shown: BTreeMap<i64, bool> = found.iter().map(|row| (row.get(0), row.get(2))).collect();
        // one that was gone before it was ever seen has no level, and needs none
        for (variant, is_used) in &levels {
            if !is_used {
                shown.entry(*variant).or_insert(false);
            }
        }
        evening.differ("stock levels", &levels, &shown);
    }
}

/// What all that is random in this test is drawn from.
pub(crate) fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| number_of("SLUICE_FAULTS_SEED").unwrap_or_else(|| rand::rng().random()))
}

/// `sluice observe`, at work.
pub(crate) struct Observer {
    _process: Process,
    metrics: String,
}

impl Observer {
    /// What a metric of commerce's connector says; waits until it says something.
    pub(crate) async fn value(&self, metric: &str) -> f64 {
        let name = format!("{metric}{{connector=\"commerce\"}} ");
        for _ in 0..300 {
            let said = match reqwest::get(&self.metrics).await {
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if let Some(value) = said.lines().find_map(|line| line.strip_prefix(&name)) {
                return value.parse().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{metric} of commerce was never measured");
    }
}

/// A variable of the stack.
pub(crate) fn setting(name: &str) -> String {
    bed::environment().get(name).unwrap_or_else(|| panic!("the stack has no {name}")).to_owned()
}

fn number_of(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Every write of `tax_info` and of its tombstones leaves its position in `written`, in the order of the writes.
async fn remember_every_write(invoice: &bed::Database) {
    let mut connection = invoice.as_administrator().connect().await.unwrap();
    sqlx::raw_sql(
        "create table written (at bigserial primary key, merchant_id bigint not null, position bigint[] not null);
         create index on written (merchant_id, at);
         grant select on written to invoice;
         create function remember() returns trigger language plpgsql security definer as $$
         begin
             if tg_table_name = 'tombstone' then
                 insert into written (merchant_id, position)
                 values (substring(new.entity from '[0-9]+$')::bigint, array[new.epoch, new.commit_lsn, new.lsn]);
             else
                 insert into written (merchant_id, position)
                 values (new.merchant_id, array[new.cdc_epoch, new.cdc_commit_lsn, new.cdc_lsn]);
             end if;
             return null;
         end $$;
         create trigger remember after insert or update on tax_info for each row execute function remember();
         create trigger remember after insert or update on cdc.tombstone for each row execute function remember();",
    )
    .execute(&mut connection)
    .await
    .unwrap();
}
