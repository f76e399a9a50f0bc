//! How a consumer connects to Kafka and how much it takes at once.

use std::time::Duration;

use platform::config::{Reader, Setting};
use rdkafka::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

/// Settings of the Kafka side of a consumer.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `host:port[,host:port]`.
    pub brokers: String,
    /// SASL over TLS, where the brokers ask for it.
    pub sasl: Option<Sasl>,
    /// The consumer group. The consumer's name, but in tests, which keep apart by it.
    pub group: String,
    /// About how many bytes of decoded changes the consumer may hold, all partitions together.
    pub fold_bytes: usize,
    /// How many entities go into one transaction.
    pub batch_entities: usize,
    /// How many records may be parked without one being applied before the consumer halts: parking a whole topic is a
    /// bug, not bad data.
    pub park_limit: u32,
    /// How long SIGTERM or a revoked partition waits for what is in flight.
    pub drain: Duration,
    /// After how long without a sign of life a member of the group is given up and its partitions move. The brokers'
    /// `group.min.session.timeout.ms` (6 s) is the least.
    pub session: Duration,
    /// How the group shares its partitions.
    pub assignment: Strategy,
    /// A broker's record is `behind` when it is older than this: then it pays to wait for more and fold it.
    pub behind: Duration,
}

/// How a group shares its partitions: the protocol's name for it. All members of a group must have one in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// A rebalance moves only the partitions that it must; the others go on meanwhile.
    CooperativeSticky,
    /// A rebalance takes every partition from everybody first: for a group that was made by other clients.
    Range,
    /// The same, dealt out one by one.
    RoundRobin,
}

impl Strategy {
    /// As librdkafka and the environment call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CooperativeSticky => "cooperative-sticky",
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
        }
    }
}

impl Setting for Strategy {
    const EXPECTED: &'static str = "cooperative-sticky, range or roundrobin";

    fn parse(text: &str) -> Option<Self> {
        [Self::CooperativeSticky, Self::Range, Self::RoundRobin].into_iter().find(|strategy| strategy.name() == text)
    }
}

/// Credentials for the brokers.
#[derive(Debug, Clone)]
pub struct Sasl {
    /// `SCRAM-SHA-512`, `SCRAM-SHA-256` or `PLAIN`.
    pub mechanism: String,
    /// The user.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl Settings {
    /// Reads the settings of the consumer `name`.
    pub fn read(name: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let brokers = reader.required("APP_ENV_KAFKA_BROKERS", "the Kafka brokers, host:port separated by commas");
        let group = reader.or("APP_ENV_KAFKA_GROUP", name.to_owned(), "the consumer group");
        let fold_bytes = reader.or("APP_ENV_FOLD_BYTES", 30 << 20, "bytes of changes that the consumer may hold");
        let batch_entities = reader.or("APP_ENV_BATCH_ENTITIES", 2_000, "entities in one transaction");
        let park_limit = reader.or("APP_ENV_PARK_LIMIT", 100, "records parked in a row before the consumer halts");
        let drain = reader.or("APP_ENV_DRAIN_MS", Duration::from_secs(10), "time to finish what is in flight");
        let session =
            reader.or("APP_ENV_KAFKA_SESSION_MS", Duration::from_secs(15), "time until a dead worker is given up");
        let assignment =
            reader.or("APP_ENV_KAFKA_ASSIGNMENT", Strategy::CooperativeSticky, "how the group shares its partitions");
        let sasl = Sasl::read(reader);
        Some(Self {
            brokers: brokers?,
            sasl: sasl?,
            group: group?,
            fold_bytes: fold_bytes?,
            batch_entities: batch_entities?,
            park_limit: park_limit?,
            drain: drain?,
            session: session?,
            assignment: assignment?,
            behind: Duration::from_secs(2),
        })
    }

    /// The configuration of librdkafka. Every value that is not its default says why.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("group.id", &self.group)
            .set("client.id", &self.group)
            // offsets are committed by us, after the effect, with the fingerprint of the last record
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // a missing offset halts; it never jumps
            .set("auto.offset.reset", "error")
            .set("partition.assignment.strategy", self.assignment.name())
            // librdkafka's defaults (64 MiB queued, 50 MiB a fetch) would alone break the memory budget: what it queues
            // takes about three times its bytes, and a fetch is compressed. A larger record still arrives whole
            .set("queued.max.messages.kbytes", "1024")
            .set("queued.min.messages", "2000")
            .set("fetch.max.bytes", "8388608")
            .set("fetch.message.max.bytes", "131072")
            // a full queue is empty again within milliseconds, where the default would wait for a second before it
            // fetches more: with queues this small that was nine tenths of the time behind a backlog
            .set("fetch.queue.backoff.ms", "5")
            .set("message.max.bytes", "6291456")
            // what a commit waits for is a record, not a full fetch
            .set("fetch.wait.max.ms", "500")
            .set("fetch.min.bytes", "1")
            // a broker that was down is asked again soon
            .set("reconnect.backoff.max.ms", "2000")
            // the end of each partition, for the lag metrics, without asking the broker
            .set("statistics.interval.ms", "5000")
            .set("session.timeout.ms", self.session.as_millis().to_string())
            .set("max.poll.interval.ms", "120000");
        if let Some(sasl) = &self.sasl {
            config
                .set("security.protocol", "sasl_ssl")
                .set("sasl.mechanism", &sasl.mechanism)
                .set("sasl.username", &sasl.username)
                .set("sasl.password", sasl.password.expose_secret());
        }
        config
    }
}

impl Sasl {
    /// Reads `APP_ENV_KAFKA_SASL_*`; without a user there is no SASL.
    #[expect(clippy::option_option, reason = "outer: a fault was noted; inner: the brokers ask for no credentials")]
    fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let Some(username) = reader.optional::<String>("APP_ENV_KAFKA_SASL_USERNAME", "the brokers' user")? else {
            return Some(None);
        };
        let password = reader.required("APP_ENV_KAFKA_SASL_PASSWORD", "the brokers' password");
        let mechanism = reader.or("APP_ENV_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512".to_owned(), "the SASL mechanism");
        Some(Some(Self { mechanism: mechanism?, username, password: password? }))
    }
}
