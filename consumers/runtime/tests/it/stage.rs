//! What a test plays on: a topic, a producer of Debezium-like records, and the databases of the consumer in `items`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use platform::clock::SystemClock;
use platform::config::{Environment, Reader};
use platform::telemetry::TelemetrySettings;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{FutureProducer, FutureRecord};
use runtime::{Settings, Surroundings};
use schemas::{Registry, wire};
use serde::Serialize;
use sqlx::{PgPool, Row as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::items::{Items, KEY, Switches, VALUE};

/// A topic, a producer, a target and a control database of one test.
pub(crate) struct Stage {
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) target: bed::Database,
    pub(crate) control: bed::Database,
    pub(crate) switches: Arc<Switches>,
    environment: Environment,
    registry: Arc<Registry>,
    key: (u32, serde_avro_fast::Schema),
    value: (u32, serde_avro_fast::Schema),
    producer: std::sync::Mutex<FutureProducer>,
    admin: AdminClient<DefaultClientContext>,
}

/// What a consumer is started with.
pub(crate) struct Around {
    pub(crate) settings: Settings,
    pub(crate) control: PgPool,
    pub(crate) registry: Arc<Registry>,
    pub(crate) target: PgPool,
    pub(crate) switches: Arc<Switches>,
}

/// A consumer that runs.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Whether it has given up.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

impl Stage {
    /// An advisory lock in the target.
    pub(crate) const LOCK: i64 = 1;

    pub(crate) async fn set(partitions: i32) -> Self {
        platform::tls::install();
        // `APP_ENV_LOG=debug` shows what the consumer says
        if let Some(filter) = Environment::of_process().get("APP_ENV_LOG") {
            let format = platform::telemetry::Format::Human;
            platform::telemetry::install_logs(&TelemetrySettings { format, filter: filter.to_owned() });
        }
        let environment = bed::environment();
        let brokers = environment.get("APP_ENV_KAFKA_BROKERS").unwrap().to_owned();
        let address = environment.get("APP_ENV_SCHEMA_REGISTRY_URL").unwrap().to_owned();
        let topic = bed::unique("runtime.public.item");
        let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
        let (target, control) = tokio::join!(bed::database("invoice"), bed::database("backbone"));
        sqlx::raw_sql(
            "create table item (id bigint primary key, name text not null, writes int not null, cdc_epoch int not null,
                                cdc_commit_lsn bigint not null, cdc_lsn bigint not null)",
        )
        .execute(&target.pool)
        .await
        .unwrap();
        let stage = Self {
            group: bed::unique("items"),
            key: (register(&address, &format!("{topic}-key"), KEY).await, KEY.parse().unwrap()),
            value: (register(&address, &format!("{topic}-value"), VALUE).await, VALUE.parse().unwrap()),
            registry: Arc::new(Registry::new(&address, reqwest::Client::builder()).unwrap()),
            producer: std::sync::Mutex::new(producer(&brokers)),
            switches: Arc::default(),
            environment,
            topic,
            target,
            control,
            admin,
        };
        stage.create_topic(partitions).await;
        stage
    }

    pub(crate) async fn create_topic(&self, partitions: i32) {
        let topic = NewTopic::new(&self.topic, partitions, TopicReplication::Fixed(1));
        let made =
            self.admin.create_topics([&topic], &AdminOptions::new().operation_timeout(Some(Duration::from_secs(10))));
        made.await.unwrap().into_iter().for_each(|made| drop(made.unwrap()));
        // a producer that knew the topic before would wait for its old partitions
        *self.producer.lock().unwrap() = producer(self.environment.get("APP_ENV_KAFKA_BROKERS").unwrap());
    }

    pub(crate) async fn delete_topic(&self) {
        let deleted = self.admin.delete_topics(&[&self.topic], &AdminOptions::new()).await.unwrap();
        for topic in deleted {
            topic.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    /// Deletes the records of partition 0 before an offset, as retention does.
    pub(crate) async fn expire(&self, before: i64) {
        let mut offsets = rdkafka::TopicPartitionList::new();
        offsets.add_partition_offset(&self.topic, 0, rdkafka::Offset::Offset(before)).unwrap();
        self.admin.delete_records(&offsets, &AdminOptions::new()).await.unwrap();
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(|_| {})
    }

    pub(crate) fn start_with(&self, change: impl FnOnce(&mut Settings)) -> Running {
        self.start_around(|around| change(&mut around.settings))
    }

    /// Starts a consumer among servers that the test may change.
    pub(crate) fn start_around(&self, change: impl FnOnce(&mut Around)) -> Running {
        let mut reader = Reader::new(&self.environment);
        let mut settings = Settings::read("items", &mut reader).unwrap();
        settings.group.clone_from(&self.group);
        let mut around = Around {
            settings,
            control: self.control.pool.clone(),
            registry: self.registry.clone(),
            target: self.target.pool.clone(),
            switches: self.switches.clone(),
        };
        change(&mut around);
        let Around { settings, control, registry, target, switches } = around;
        let surroundings = Surroundings { settings, control, registry, clock: SystemClock::shared() };
        let consumer = Items { target, topic: self.topic.clone(), switches };
        let stop = CancellationToken::new();
        let task = tokio::spawn(runtime::run(consumer, surroundings, stop.clone()));
        Running { stop, task }
    }

    /// Values are written with another schema from now on, which nobody has read before.
    pub(crate) async fn evolve(&mut self) {
        let address = self.environment.get("APP_ENV_SCHEMA_REGISTRY_URL").unwrap();
        let named = format!(r#""name":"Envelope","doc":"{}""#, self.topic);
        let schema = VALUE.replacen(r#""name":"Envelope""#, &named, 1);
        let id = register(address, &format!("{}-value-evolved", self.topic), &schema).await;
        assert_ne!(id, self.value.0);
        self.value = (id, schema.parse().unwrap());
    }

    /// The group's committed offsets, by partition.
    pub(crate) fn committed(&self) -> Vec<Option<i64>> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.environment.get("APP_ENV_KAFKA_BROKERS").unwrap());
        let client: BaseConsumer = config.set("group.id", &self.group).create().unwrap();
        let metadata = client.fetch_metadata(Some(&self.topic), Duration::from_secs(30)).unwrap();
        let mut asked = rdkafka::TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            asked.add_partition(&self.topic, partition.id());
        }
        let answer = client.committed_offsets(asked, Duration::from_secs(30)).unwrap();
        let mut offsets: Vec<_> = answer.elements().iter().map(|e| (e.partition(), e.offset().to_raw())).collect();
        offsets.sort_unstable();
        offsets.into_iter().map(|(_, offset)| offset.filter(|offset| *offset >= 0)).collect()
    }

    /// The key's bytes for an id.
    pub(crate) fn key_of(&self, id: i64) -> Vec<u8> {
        #[derive(Serialize)]
        struct Key {
            id: i64,
        }
        let mut config = serde_avro_fast::ser::SerializerConfig::new(&self.key.1);
        wire::frame(self.key.0, &serde_avro_fast::to_datum_vec(&Key { id }, &mut config).unwrap())
    }

    /// The value's bytes of a change at a position; no name is a delete.
    pub(crate) fn value_of(&self, id: i64, lsn: i64, name: Option<&str>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Value<'a> {
            id: i64,
            name: &'a str,
            gone: bool,
        }
        #[derive(Serialize)]
        struct Source<'a> {
            ts_ms: i64,
            snapshot: Option<&'a str>,
            db: &'a str,
            sequence: Option<String>,
            table: &'a str,
            #[serde(rename = "txId")]
            tx_id: Option<i64>,
            lsn: Option<i64>,
        }
        #[derive(Serialize)]
        struct Envelope<'a> {
            before: Option<Value<'a>>,
            after: Option<Value<'a>>,
            source: Source<'a>,
            op: &'a str,
            ts_ms: Option<i64>,
        }
        let source = Source {
            ts_ms: 0,
            snapshot: Some("false"),
            db: "test",
            sequence: Some(format!(r#"["{lsn}","{lsn}"]"#)),
            table: "item",
            tx_id: Some(lsn),
            lsn: Some(lsn),
        };
        let after = name.map(|name| Value { id, name, gone: name == "gone" });
        let op = if name.is_some() { "u" } else { "d" };
        let envelope = Envelope { before: None, after, source, op, ts_ms: None };
        let mut config = serde_avro_fast::ser::SerializerConfig::new(&self.value.1);
        wire::frame(self.value.0, &serde_avro_fast::to_datum_vec(&envelope, &mut config).unwrap())
    }

    /// Writes a record to a partition and waits until the broker has it.
    pub(crate) async fn send_raw(&self, partition: i32, key: Option<&[u8]>, value: Option<&[u8]>) {
        let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&self.topic).partition(partition);
        record.key = key;
        record.payload = value;
        let producer = self.producer.lock().unwrap().clone();
        producer.send(record, Duration::from_secs(10)).await.unwrap();
    }

    /// Writes a change to the partition that its id belongs to (of `of`).
    pub(crate) async fn send(&self, id: i64, lsn: i64, name: Option<&str>) {
        self.send_raw(0, Some(&self.key_of(id)), Some(&self.value_of(id, lsn, name))).await;
    }

    /// Writes many changes at once: (partition, id, lsn, name).
    pub(crate) async fn send_all(&self, changes: impl IntoIterator<Item = (i32, i64, i64, String)>) {
        let sends = changes.into_iter().map(|(partition, id, lsn, name)| async move {
            self.send_raw(partition, Some(&self.key_of(id)), Some(&self.value_of(id, lsn, Some(&name)))).await;
        });
        futures::future::join_all(sends).await;
    }

    /// The target's rows: (id, name), by id.
    pub(crate) async fn rows(&self) -> Vec<(i64, String)> {
        let rows = sqlx::query("select id, name from item order by id").fetch_all(&self.target.pool).await.unwrap();
        rows.iter().map(|row| (row.get("id"), row.get("name"))).collect()
    }

    /// Waits until the target holds exactly these rows.
    pub(crate) async fn expect(&self, expected: &[(i64, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(id, name)| (*id, (*name).to_owned())).collect();
        let mut seen = Vec::new();
        for _ in 0..300 {
            seen = self.rows().await;
            if seen == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the target never held {expected:?}, but {seen:?}");
    }

    /// Waits until exactly this is parked: (entity's key, offset, cause), oldest first.
    pub(crate) async fn expect_parked(&self, expected: &[(Option<&str>, i64, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(e, o, c)| (e.map(str::to_owned), *o, (*c).to_owned())).collect();
        let mut seen = Vec::new();
        for _ in 0..300 {
            seen = self.parked().await;
            if seen == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never was {expected:?} parked, but {seen:?}");
    }

    /// What is parked: (entity's key, offset, cause), oldest first.
    pub(crate) async fn parked(&self) -> Vec<(Option<String>, i64, String)> {
        let parked = runtime::parking::list(&self.control.pool, "items", None).await.unwrap();
        let key = |entity: String| entity.rsplit('/').next().unwrap().to_owned();
        parked.into_iter().map(|p| (p.entity.map(key), p.record.coordinates.offset, p.cause)).collect()
    }

    /// Waits until a partition's reported state is this one, and answers the reason.
    pub(crate) async fn expect_state(&self, state: &str) -> String {
        let partition = self.expect_partition(state, |partition| partition["state"] == state).await;
        partition["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a partition is reported to be so, and answers the report.
    pub(crate) async fn expect_partition(
        &self,
        what: &str,
        is_so: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let mut seen = None;
        for _ in 0..300 {
            seen = sqlx::query_scalar::<_, sqlx::types::Json<Vec<serde_json::Value>>>("select partitions from worker")
                .fetch_optional(&self.control.pool)
                .await
                .unwrap();
            let found = seen.iter().flat_map(|partitions| &partitions.0).find(|partition| is_so(partition));
            if let Some(partition) = found {
                return partition.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no partition became {what}: {seen:?}");
    }

    /// Issues a command for partition 0 and waits until it was carried out.
    pub(crate) async fn command(&self, verb: &str) -> String {
        self.command_with(verb, serde_json::json!({})).await
    }

    /// The same, with arguments.
    pub(crate) async fn command_with(&self, verb: &str, arguments: serde_json::Value) -> String {
        let id: i64 = sqlx::query_scalar(
            "insert into command (consumer, topic, partition, verb, arguments, reason)
             values ('items', $1, 0, $2, $3, 'a test') returning id",
        )
        .bind(&self.topic)
        .bind(verb)
        .bind(arguments)
        .fetch_one(&self.control.pool)
        .await
        .unwrap();
        for _ in 0..600 {
            let outcome: Option<String> = sqlx::query_scalar("select outcome from command where id = $1")
                .bind(id)
                .fetch_one(&self.control.pool)
                .await
                .unwrap();
            if let Some(outcome) = outcome {
                return outcome;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody carried out {verb}");
    }
}

fn producer(brokers: &str) -> FutureProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("linger.ms", "2").set("message.timeout.ms", "20000");
    // as much as the topics take
    config.set("message.max.bytes", "6291456").create().unwrap()
}

async fn register(address: &str, subject: &str, schema: &str) -> u32 {
    let url = format!("{address}/subjects/{subject}/versions");
    let body = serde_json::json!({ "schema": schema });
    let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap().error_for_status().unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    u32::try_from(answer["id"].as_u64().unwrap()).unwrap()
}

/// Waits until a count has come so far.
pub(crate) async fn until(what: &str, count: &AtomicU32, least: u32) {
    for _ in 0..600 {
        if count.load(Ordering::SeqCst) >= least {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} never came to {least}");
}
