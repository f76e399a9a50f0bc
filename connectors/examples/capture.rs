//! Writes real records of a topic into its folder, for the contract tests: the newest of each kind.
//!
//! `cargo run -p connectors --example capture -- commerce.public.merchant`, from the repository's root, with the
//! stack's environment. The topic must hold a create, an update, a delete with its tombstone and a snapshot's read.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};
use schemas::ccompat::Ccompat;
use schemas::files::{Subject, Topic, load};
use schemas::{decode, field, wire};
use serde_json::{Value, json};

/// How long nothing must come before the topic counts as read.
const QUIET: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    platform::tls::install();
    let name = std::env::args().nth(1).context("name a topic")?;
    let environment = bed::environment();
    let setting = |name: &str| environment.get(name).map(ToOwned::to_owned).with_context(|| format!("set {name}"));
    let topic =
        load(Path::new("schemas"))?.into_iter().find(|topic| topic.name == name).context("the topic has no folder")?;
    let registry = Ccompat::new(&setting("APP_ENV_SCHEMA_REGISTRY_URL")?, reqwest::Client::new());
    let (keys, values) = (releases(&registry, &topic.key).await?, releases(&registry, &topic.value).await?);
    let brokers = setting("APP_ENV_KAFKA_BROKERS")?;
    let records = tokio::task::spawn_blocking(move || read(&brokers, &name)).await??;
    let mut chosen = BTreeMap::new();
    for record in &records {
        let (kind, example) = example(&topic, &keys, &values, record)?;
        chosen.insert(kind, example);
    }
    for (kind, example) in chosen {
        let path = Path::new("schemas").join(&topic.name).join("examples").join(format!("{kind}.json"));
        std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&example)?))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Which release an id stands for.
async fn releases(registry: &Ccompat, subject: &Subject) -> anyhow::Result<BTreeMap<u32, (u32, String)>> {
    let versions = registry.versions(&subject.name()).await?;
    let release =
        |text: &str| subject.releases.iter().find(|release| release.text == text).map(|release| release.number);
    Ok(versions
        .into_iter()
        .filter_map(|version| Some((version.id, (release(&version.schema)?, version.schema))))
        .collect())
}

fn read(brokers: &str, topic: &str) -> anyhow::Result<Vec<OwnedMessage>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "sluice-capture")
        .set("enable.auto.commit", "false")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), QUIET)?;
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics().first().context("no such topic")?.partitions() {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let (mut last, mut records) = (Instant::now(), Vec::new());
    while last.elapsed() < QUIET {
        if let Some(record) = consumer.poll(Duration::from_millis(200)) {
            records.push(record?.detach());
            last = Instant::now();
        }
    }
    Ok(records)
}

type Releases = BTreeMap<u32, (u32, String)>;

fn example(
    topic: &Topic,
    keys: &Releases,
    values: &Releases,
    record: &OwnedMessage,
) -> anyhow::Result<(&'static str, Value)> {
    let (key_release, key) = decoded(keys, record.key().context("a record without a key")?)?;
    let (value_release, value) = match record.payload() {
        Some(value) => decoded(values, value)?,
        None => (Value::Null, Value::Null),
    };
    let kind = match value.get("op").and_then(Value::as_str) {
        None => "tombstone",
        Some("c") => "create",
        Some("d") => "delete",
        Some("r") => "snapshot",
        Some(_) if value["after"].to_string().contains(field::PLACEHOLDER) => "unchanged",
        Some(_) => "update",
    };
    let example = json!({
        "topic": topic.name, "partition": record.partition(), "offset": record.offset(), "headers": headers(record),
        "key": key, "value": value,
        "key_release": key_release, "value_release": value_release,
        "key_bytes": record.key().map(hex), "value_bytes": record.payload().map(hex),
    });
    Ok((kind, example))
}

fn decoded(releases: &Releases, bytes: &[u8]) -> anyhow::Result<(Value, Value)> {
    let (id, datum) = wire::split(bytes)?;
    let (number, text) =
        releases.get(&id).with_context(|| format!("schema {id} is no reviewed release; see `sluice schemas drift`"))?;
    Ok((json!(number), decode::json(&text.parse()?, datum)?))
}

fn headers(record: &OwnedMessage) -> BTreeMap<String, String> {
    let Some(headers) = record.headers() else { return BTreeMap::new() };
    headers
        .iter()
        .map(|header| (header.key.to_owned(), String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned()))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}
