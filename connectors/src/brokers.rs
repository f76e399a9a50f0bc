//! Kafka's administration, as much of it as topics need. Every call blocks on the brokers, within its patience.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why Kafka did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokersError {
    /// It did not answer, or not in time.
    #[error("kafka at {address} does not answer: {source}; is the stack up?")]
    Unreachable {
        /// Where it was asked.
        address: String,
        /// What was seen.
        source: KafkaError,
    },
    /// It answered that it will not.
    #[error("kafka refuses {what}: {code}")]
    Refused {
        /// What was asked.
        what: String,
        /// What it said.
        code: RDKafkaErrorCode,
    },
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How many partitions.
    pub partitions: usize,
    /// The settings that were made for this topic; all others are the broker's.
    pub own: BTreeMap<String, String>,
    /// Every setting as it is in force.
    pub all: BTreeMap<String, String>,
}

/// Kafka at its bootstrap addresses.
pub struct Brokers {
    address: String,
    client: AdminClient<DefaultClientContext>,
}

impl Brokers {
    /// Kafka at `host:port[,host:port]`.
    pub fn new(address: &str) -> Result<Self, BrokersError> {
        let client = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("client.id", "sluice-connectors")
            .create()
            .map_err(|source| BrokersError::Unreachable { address: address.to_owned(), source })?;
        Ok(Self { address: address.to_owned(), client })
    }

    /// A topic as it is; none when there is no such topic.
    pub async fn describe(&self, topic: &str) -> Result<Option<Found>, BrokersError> {
        let Some(partitions) = self.partitions(topic)? else { return Ok(None) };
        let resources = [ResourceSpecifier::Topic(topic)];
        let mut described =
            self.client.describe_configs(&resources, &options()).await.map_err(|error| self.unreachable(error))?;
        let resource = match described.pop() {
            Some(Ok(resource)) => resource,
            Some(Err(code)) => return Err(BrokersError::Refused { what: format!("to describe {topic}"), code }),
            None => return Ok(None),
        };
        let entries = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?, entry.source)));
        let mut found = Found { partitions, own: BTreeMap::new(), all: BTreeMap::new() };
        for (name, value, source) in entries {
            if matches!(source, ConfigSource::DynamicTopic) {
                found.own.insert(name.clone(), value.clone());
            }
            found.all.insert(name, value);
        }
        Ok(Some(found))
    }

    fn partitions(&self, topic: &str) -> Result<Option<usize>, BrokersError> {
        let metadata = self.client.inner().fetch_metadata(None, PATIENCE).map_err(|error| self.unreachable(error))?;
        let found = metadata.topics().iter().find(|known| known.name() == topic && known.error().is_none());
        Ok(found.map(|topic| topic.partitions().len()))
    }

    /// Makes a topic with these settings, with as many replicas as the brokers make by default.
    pub async fn create(&self, topic: &str, partitions: i32, settings: &[(&str, String)]) -> Result<(), BrokersError> {
        let new = settings
            .iter()
            .fold(NewTopic::new(topic, partitions, TopicReplication::Fixed(-1)), |new, (name, value)| {
                new.set(name, value)
            });
        let created = self.client.create_topics([&new], &options()).await.map_err(|error| self.unreachable(error))?;
        match created.into_iter().find_map(Result::err) {
            None | Some((_, RDKafkaErrorCode::TopicAlreadyExists)) => Ok(()),
            Some((_, code)) => Err(BrokersError::Refused { what: format!("to create {topic}"), code }),
        }
    }

    /// Sets a topic's own settings to exactly these: the call replaces them all, so pass on what must stay.
    pub async fn alter(&self, topic: &str, settings: &BTreeMap<String, String>) -> Result<(), BrokersError> {
        let change = settings
            .iter()
            .fold(AlterConfig::new(ResourceSpecifier::Topic(topic)), |change, (name, value)| change.set(name, value));
        let altered =
            self.client.alter_configs([&change], &options()).await.map_err(|error| self.unreachable(error))?;
        match altered.into_iter().find_map(Result::err) {
            None => Ok(()),
            Some((_, code)) => Err(BrokersError::Refused { what: format!("to alter {topic}"), code }),
        }
    }

    /// Deletes topics: for tests, which leave nothing behind.
    pub async fn delete(&self, topics: &[&str]) -> Result<(), BrokersError> {
        let deleted = self.client.delete_topics(topics, &options()).await.map_err(|error| self.unreachable(error))?;
        match deleted
            .into_iter()
            .filter_map(Result::err)
            .find(|(_, code)| *code != RDKafkaErrorCode::UnknownTopicOrPartition)
        {
            None => Ok(()),
            Some((topic, code)) => Err(BrokersError::Refused { what: format!("to delete {topic}"), code }),
        }
    }

    fn unreachable(&self, source: KafkaError) -> BrokersError {
        BrokersError::Unreachable { address: self.address.clone(), source }
    }
}

impl std::fmt::Debug for Brokers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Brokers").field("address", &self.address).finish_non_exhaustive()
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}
