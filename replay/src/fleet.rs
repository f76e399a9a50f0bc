//! Who runs which partition of a consumer, and where it stands, as the workers say it themselves.

use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;

/// A worker that was not heard of for this long does not run.
const HEARD_WITHIN: &str = "20 seconds";

/// A partition and its owner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Owned {
    /// The consumer.
    pub consumer: String,
    /// The worker that owns it.
    pub worker: String,
    /// The machine that the worker runs on.
    pub host: String,
    /// Where it stands.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Where a partition stands, as its owner reports it every few seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// `locating`, `running`, `retrying`, `paused` or `halted`.
    pub state: String,
    /// Why it is retrying or halted.
    pub reason: Option<String>,
    /// The position: the first offset that is not applied; -1 before anything is known.
    pub next_offset: i64,
    /// The end; -1 before it was seen.
    pub end_offset: i64,
    /// How many records lie between.
    pub lag_records: i64,
    /// How old the last applied record is while there are any.
    pub lag_seconds: f64,
    /// The epoch that its next records are of, as its owner knows it.
    #[serde(default)]
    pub epoch: i32,
    /// How many records a second it was measured to apply when it was behind; none before it was, since its owner has it.
    #[serde(default)]
    pub records_per_second: Option<f64>,
}

/// The partitions of one consumer, or of all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fleet(pub Vec<Owned>);

impl Fleet {
    /// Reads what the workers said last. Of a partition that two say they have, whoever was heard of last has it: the other
    /// died, and its word stays for a while.
    pub async fn read(executor: impl PgExecutor<'_>, consumer: Option<&str>) -> sqlx::Result<Self> {
        type Row = (String, String, String, sqlx::types::Json<Vec<Standing>>);
        let rows: Vec<Row> = sqlx::query_as(
            "select id, consumer, host, partitions from worker
              where ($1::text is null or consumer = $1) and seen_at > now() - $2::text::interval
              order by seen_at desc, id",
        )
        .bind(consumer)
        .bind(HEARD_WITHIN)
        .fetch_all(executor)
        .await?;
        let mut owned: Vec<Owned> = rows
            .into_iter()
            .flat_map(|(worker, consumer, host, partitions)| {
                partitions.0.into_iter().map(move |standing| Owned {
                    consumer: consumer.clone(),
                    worker: worker.clone(),
                    host: host.clone(),
                    standing,
                })
            })
            .collect();
        let place = |owned: &Owned| (owned.consumer.clone(), owned.standing.topic.clone(), owned.standing.partition);
        // stable: whoever was heard of last stays first
        owned.sort_by_key(place);
        owned.dedup_by_key(|owned| place(owned));
        Ok(Self(owned))
    }

    /// The owner of a partition.
    #[must_use]
    pub fn owner(&self, topic: &str, partition: i32) -> Option<&Owned> {
        self.0.iter().find(|owned| owned.standing.topic == topic && owned.standing.partition == partition)
    }
}

/// Every consumer that ever started.
pub async fn consumers(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select consumer from started_partition union select consumer from worker union select consumer from parked_change
          order by 1",
    )
    .fetch_all(executor)
    .await
}
