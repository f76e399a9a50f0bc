//! Debezium's real records, carried to brokers of the test's own, twice, late, in another order or with others between them.
//!
//! The brokers are librdkafka's mock cluster, which speaks the real protocol, groups included, and can be told to refuse,
//! to move leaders and coordinators and to go away.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backbone::source;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, error::KafkaError};
use tokio::task::JoinHandle;

use crate::day::{Day, TOPICS, setting};
use crate::groups::Groups;

/// How long the source may be silent before what a twist holds back is let go.
const SILENCE: Duration = Duration::from_millis(100);

/// As a partition: the one that the key's bytes give, as Debezium's producer does it.
pub(crate) const BY_KEY: i32 = -1;

/// A record on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passing {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Passing {
    /// Whether a text is in its value.
    fn names(&self, name: &str) -> bool {
        self.value.as_deref().is_some_and(|value| value.windows(name.len()).any(|part| part == name.as_bytes()))
    }
}

/// What becomes of the records on their way.
pub(crate) trait Twist: Send + 'static {
    /// A record comes; what goes on now is pushed to `out`.
    fn take(&mut self, record: Passing, out: &mut Vec<Passing>);

    /// Nothing has come for a moment.
    fn idle(&mut self, out: &mut Vec<Passing>) {
        let _ = out;
    }
}

impl Twist for Box<dyn Twist> {
    fn take(&mut self, record: Passing, out: &mut Vec<Passing>) {
        self.as_mut().take(record, out);
    }

    fn idle(&mut self, out: &mut Vec<Passing>) {
        self.as_mut().idle(out);
    }
}

/// Everything as it comes.
pub(crate) struct Straight;

impl Twist for Straight {
    fn take(&mut self, record: Passing, out: &mut Vec<Passing>) {
        out.push(record);
    }
}

/// A relay at work, and its brokers.
pub(crate) struct Relay {
    pub(crate) cluster: MockCluster<'static, DefaultProducerContext>,
    last: Arc<OnceLock<String>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Carries what is committed from now on to topics of so many partitions.
    pub(crate) async fn start(partitions: i32, twist: impl Twist) -> Self {
        let cluster = MockCluster::new(3).unwrap();
        for topic in TOPICS {
            cluster.create_topic(topic, partitions, 3).unwrap();
        }
        let (source, target) = (setting("APP_ENV_KAFKA_BROKERS"), cluster.bootstrap_servers());
        let last = Arc::new(OnceLock::new());
        let (awaited, (ready, is_ready)) = (last.clone(), tokio::sync::oneshot::channel());
        let task = tokio::task::spawn_blocking(move || {
            let consumer = at_the_end(&source);
            ready.send(()).unwrap();
            carry(&consumer, &target, partitions, twist, &awaited);
        });
        is_ready.await.unwrap();
        Self { cluster, last, task }
    }

    pub(crate) fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Ends once a merchant that is committed now has come, and nothing more comes: everything that was committed before is with
    /// the brokers.
    pub(crate) async fn end(self, day: &Day) -> MockCluster<'static, DefaultProducerContext> {
        let (id, name) = (source::id(), bed::unique("the last"));
        self.last.set(name.clone()).unwrap();
        source::insert(&day.commerce, id, &name, None).await;
        self.task.await.unwrap();
        self.cluster
    }
}

fn at_the_end(brokers: &str) -> BaseConsumer {
    let ends = Groups::at(brokers.to_owned()).ends();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "relay").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.set("fetch.wait.max.ms", "20").create().unwrap();
    consumer.assign(&ends).unwrap();
    consumer
}

/// Debezium writes what was committed before a merchant before it, or, to other partitions, hardly later: two seconds of silence
/// after it, and everything has come.
fn carry(consumer: &BaseConsumer, target: &str, partitions: i32, mut twist: impl Twist, last: &OnceLock<String>) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", target).set("message.max.bytes", "8388608").set("linger.ms", "1");
    config.set("partitioner", "murmur2_random");
    // one request at a time: a request that is tried again does not overtake
    let producer: BaseProducer = config.set("max.in.flight.requests.per.connection", "1").create().unwrap();
    let (mut out, mut silent, mut is_last) = (Vec::new(), 0, false);
    while silent < 20 || !is_last {
        if let Some(message) = consumer.poll(SILENCE) {
            silent = 0;
            let record = passing(&message.unwrap().detach());
            is_last |= last.get().is_some_and(|name| record.names(name));
            twist.take(record, &mut out);
        } else {
            silent += 1;
            twist.idle(&mut out);
        }
        for mut record in out.drain(..) {
            // where there are fewer partitions, a key finds its own as it did at Debezium's producer
            if record.partition >= partitions {
                record.partition = BY_KEY;
            }
            send(&producer, &record);
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_mins(1)).unwrap();
}

fn passing(message: &OwnedMessage) -> Passing {
    Passing {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
    }
}

fn send(producer: &BaseProducer, record: &Passing) {
    let mut next: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&record.topic);
    next.partition = (record.partition != BY_KEY).then_some(record.partition);
    next.key = record.key.as_deref();
    next.payload = record.value.as_deref();
    while let Err((error, again)) = producer.send(next) {
        assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
        producer.poll(Duration::from_millis(10));
        next = again;
    }
}

/// The records of each key, in their order: what a legal stream may repeat, and what it must keep in order.
pub(crate) type ByKey<T> = HashMap<(String, Option<Vec<u8>>), T>;
