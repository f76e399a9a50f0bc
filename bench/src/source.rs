//! A source: a database with the lab's table, a real Debezium on it, and the topic that it writes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};
use sqlx::Connection as _;

use crate::connect::Connect;
use crate::stack::Stack;

/// How many partitions a topic has here.
pub(crate) const PARTITIONS: i32 = 6;
/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);

const TABLE: &str = "
create table variant (
    id bigint primary key, product_id bigint not null, merchant_id bigint not null, sku text not null, name text not null,
    price bigint not null, cost bigint not null, tax_code text not null, barcode text, attributes jsonb not null,
    created_at timestamptz not null default now(), updated_at timestamptz not null default now(), deleted_at timestamptz);
create publication bench for table variant;";

/// A source by its one name: database, topic prefix and slot.
pub(crate) struct Source<'s> {
    pub(crate) name: &'static str,
    /// Another one in every run: Connect keeps the offsets of a connector that is gone, and a slot made anew has none of them.
    connector: String,
    stack: &'s Stack,
    connect: Connect,
}

impl<'s> Source<'s> {
    pub(crate) fn new(stack: &'s Stack, name: &'static str) -> anyhow::Result<Self> {
        let connector = format!("{name}-{}", std::process::id());
        Ok(Self { name, connector, stack, connect: Connect::at(stack.get("APP_ENV_CONNECT_URL")?) })
    }

    pub(crate) fn topic(&self) -> String {
        format!("{}.public.variant", self.name)
    }

    /// Forgets the connector, its slot, the topic and the database, and makes the last anew.
    pub(crate) async fn remake(&self) -> anyhow::Result<()> {
        self.disconnect().await?;
        let admin: AdminClient<DefaultClientContext> = self.kafka()?.create()?;
        let deleted = admin.delete_topics(&[&self.topic()], &AdminOptions::new()).await?;
        for result in deleted {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((topic, code)) => bail!("cannot delete topic {topic}: {code}"),
            }
        }
        self.stack.fresh_database(self.name).await?;
        let mut connection = self.stack.connection(self.name).await?;
        sqlx::raw_sql(TABLE).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    /// Starts Debezium from here on.
    pub(crate) async fn connect(&self) -> anyhow::Result<()> {
        let config = configuration(self.stack, include_str!("../connector.json"), &[("NAME", self.name)])?;
        self.connect.apply(&self.connector, &config).await?;
        self.connect.await_running(&self.connector).await?;
        // the task runs before its slot is there, and changes before the slot are not streamed
        let mut connection = self.stack.connection("postgres").await?;
        for _ in 0..300 {
            let active: bool =
                sqlx::query_scalar("select exists (select from pg_replication_slots where slot_name = $1 and active)")
                    .bind(self.name)
                    .fetch_one(&mut connection)
                    .await?;
            if active {
                connection.close().await?;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("Debezium made no slot")
    }

    /// Stops Debezium, also one of a run that was killed, and forgets its slot.
    pub(crate) async fn disconnect(&self) -> anyhow::Result<()> {
        for connector in self.connect.named(&format!("{}-", self.name)).await? {
            self.connect.delete(&connector).await?;
        }
        let mut connection = self.stack.connection("postgres").await?;
        for _ in 0..100 {
            let dropped = sqlx::query(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1",
            )
            .bind(self.name)
            .execute(&mut connection)
            .await;
            if dropped.is_ok() {
                connection.close().await?;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("slot {} stays in use", self.name)
    }

    /// Runs a statement in the source.
    pub(crate) async fn execute(&self, statement: &'static str) -> anyhow::Result<()> {
        let mut connection = self.stack.connection(self.name).await?;
        sqlx::raw_sql(statement).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    /// Waits until the topic holds this many records; answers how long that took.
    pub(crate) async fn await_records(&self, wanted: i64) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let mut before = (-1, Instant::now());
        loop {
            let records = self.records()?;
            if records >= wanted {
                return Ok(began.elapsed());
            }
            if records > before.0 {
                before = (records, Instant::now());
            }
            if before.1.elapsed() > Duration::from_mins(2) {
                bail!("the topic stands at {records} of {wanted} records; see the log of connect");
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// How many records the topic holds; 0 when it is not there.
    pub(crate) fn records(&self) -> anyhow::Result<i64> {
        let kafka: BaseConsumer = self.kafka()?.create()?;
        let mut records = 0;
        for partition in 0..PARTITIONS {
            match kafka.fetch_watermarks(&self.topic(), partition, PATIENCE) {
                Ok((first, end)) => records += end - first,
                // the last two: it is being made
                Err(KafkaError::MetadataFetch(
                    RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::NotLeaderForPartition
                    | RDKafkaErrorCode::LeaderNotAvailable,
                )) => return Ok(0),
                Err(error) => return Err(error).context("the broker does not say how long the topic is"),
            }
        }
        Ok(records)
    }

    /// The id of the last record of each partition.
    pub(crate) fn last_ids(&self) -> anyhow::Result<Vec<i64>> {
        let kafka: BaseConsumer = self.kafka()?.create()?;
        let mut ids = Vec::new();
        for partition in 0..PARTITIONS {
            let (_, end) = kafka.fetch_watermarks(&self.topic(), partition, PATIENCE)?;
            ids.extend(self.ids_in(partition, end - 1, 1)?);
        }
        Ok(ids)
    }

    /// The ids of records that follow one another in a partition.
    pub(crate) fn ids_in(&self, partition: i32, first: i64, records: usize) -> anyhow::Result<Vec<i64>> {
        let kafka: BaseConsumer = self.kafka()?.create()?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(&self.topic(), partition, Offset::Offset(first))?;
        kafka.assign(&from)?;
        let (mut ids, began) = (Vec::with_capacity(records), Instant::now());
        while ids.len() < records {
            anyhow::ensure!(began.elapsed() < PATIENCE, "records did not come");
            // a poll also ends early, when it served something that is no record
            let Some(message) = kafka.poll(Duration::from_millis(100)) else { continue };
            ids.push(message?.key().and_then(id_of).context("a record without an id")?);
        }
        Ok(ids)
    }

    /// A client that reads everything from the end of the topic.
    pub(crate) fn reader_from_end(&self) -> anyhow::Result<BaseConsumer> {
        let kafka: BaseConsumer = self.kafka()?.create()?;
        let mut from = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let (_, end) = kafka.fetch_watermarks(&self.topic(), partition, PATIENCE)?;
            from.add_partition_offset(&self.topic(), partition, Offset::Offset(end))?;
        }
        kafka.assign(&from)?;
        Ok(kafka)
    }

    fn kafka(&self) -> anyhow::Result<ClientConfig> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.stack.get("APP_ENV_KAFKA_BROKERS")?).set("group.id", "bench-reader");
        Ok(config)
    }
}

/// The id in a key: after the wire format's five bytes, an Avro long.
pub(crate) fn id_of(key: &[u8]) -> Option<i64> {
    let (mut value, mut shift) = (0_u64, 0);
    for byte in key.get(5..)? {
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

/// A connector's configuration with its placeholders filled in.
pub(crate) fn configuration(stack: &Stack, text: &str, own: &[(&str, &str)]) -> anyhow::Result<serde_json::Value> {
    let mut text = text.to_owned();
    let ours = [
        ("POSTGRES_HOST", stack.get("APP_ENV_POSTGRES_HOST")?),
        ("POSTGRES_PORT", stack.get("APP_ENV_POSTGRES_PORT")?),
        ("POSTGRES_PASSWORD", stack.get("SLUICE_POSTGRES_PASSWORD")?),
        ("CONNECT_REGISTRY_URL", stack.get("APP_ENV_CONNECT_REGISTRY_URL")?),
    ];
    for (name, value) in ours.iter().chain(own) {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    Ok(serde_json::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_from_a_key() {
        assert_eq!(id_of(&[0, 0, 0, 0, 7, 84]), Some(42));
        assert_eq!(id_of(&[0, 0, 0, 0, 7, 0xd8, 0x04]), Some(300));
        assert_eq!(id_of(&[0, 0, 0, 0, 7]), None);
    }
}
