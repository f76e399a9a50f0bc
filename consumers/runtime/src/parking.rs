//! Changes that could not be applied, kept with their bytes in `backbone`.

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sqlx::{PgExecutor, Row as _};
use time::OffsetDateTime;

use crate::change::{Coordinates, EntityKey};
use crate::record::Record;

/// Why a record is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Its bytes are not what the schema says, or no known wire format.
    Undecodable,
    /// The registry does not know its schema.
    UnknownSchema,
    /// The consumer's decision or its target refuses this content.
    Refused,
    /// An earlier change of the same entity is parked.
    Follows,
    /// An operator skipped it.
    Skipped,
}

impl Cause {
    /// The name that is persisted, counted and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::UnknownSchema => "unknown-schema",
            Self::Refused => "refused",
            Self::Follows => "follows",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Parks a record. Parking the same coordinates again keeps the first and counts the attempt, so that a redelivery
/// neither doubles nor reorders what is parked.
pub async fn park(
    executor: impl PgExecutor<'_>,
    consumer: &str,
    record: &Record,
    entity: Option<&EntityKey>,
    cause: Cause,
    detail: &str,
) -> sqlx::Result<()> {
    let headers: Vec<(&str, Option<String>)> = record
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_ref().map(|v| STANDARD.encode(v))))
        .collect();
    sqlx::query(
        r#"insert into parked_change (consumer, entity, topic, partition, "offset", record_time, record_key,
               record_value, record_headers, cause, detail, attempts)
           values ($1, $2, $3, $4, $5, to_timestamp($6::double precision / 1000), $7, $8, $9, $10, $11, 1)
           on conflict (consumer, topic, partition, "offset")
           do update set attempts = parked_change.attempts + 1"#,
    )
    .bind(consumer)
    .bind(entity.map(EntityKey::to_string))
    .bind(&*record.coordinates.topic)
    .bind(record.coordinates.partition)
    .bind(record.coordinates.offset)
    .bind(record.timestamp_ms)
    .bind(record.key.as_deref())
    .bind(record.value.as_deref())
    .bind(sqlx::types::Json(headers))
    .bind(cause.name())
    .bind(detail)
    .execute(executor)
    .await?;
    Ok(())
}

/// Every entity of which the consumer has parked changes.
pub async fn entities(executor: impl PgExecutor<'_>, consumer: &str) -> sqlx::Result<HashSet<EntityKey>> {
    let rows: Vec<String> =
        sqlx::query_scalar("select distinct entity from parked_change where consumer = $1 and entity is not null")
            .bind(consumer)
            .fetch_all(executor)
            .await?;
    Ok(rows.iter().filter_map(|entity| EntityKey::of_text(entity)).collect())
}

/// A parked record as it is read back.
#[derive(Debug, Clone)]
pub struct Parked {
    /// Its number in `parked_change`; parked records of an entity are in this order.
    pub id: i64,
    /// The entity's text form; `None` where the key could not be decoded.
    pub entity: Option<String>,
    /// The record, as it was.
    pub record: Record,
    /// [`Cause::name`].
    pub cause: String,
    /// What was said.
    pub detail: String,
    /// How often it was tried.
    pub attempts: i32,
}

/// Parked records, oldest first: all of the consumer, or those of one entity.
pub async fn list(executor: impl PgExecutor<'_>, consumer: &str, entity: Option<&str>) -> sqlx::Result<Vec<Parked>> {
    let rows = sqlx::query(
        r#"select id, entity, topic, partition, "offset", record_time, record_key, record_value, record_headers, cause,
                  detail, attempts
             from parked_change
            where consumer = $1 and ($2::text is null or entity = $2)
            order by id"#,
    )
    .bind(consumer)
    .bind(entity)
    .fetch_all(executor)
    .await?;
    rows.iter().map(parked).collect()
}

/// The entities whose newest parked record is of this partition, oldest first, each with that record's number; a record
/// that is of no entity stands for itself. With a cause, only those of which something was parked for it.
pub(crate) async fn newest_at(
    executor: impl PgExecutor<'_>,
    consumer: &str,
    topic: &str,
    partition: i32,
    cause: Option<&str>,
) -> sqlx::Result<Vec<(Option<String>, i64)>> {
    sqlx::query_as(
        "select entity, max(id) from parked_change where consumer = $1
          group by entity, case when entity is null then id end
         having (array_agg(topic order by id desc))[1] = $2 and (array_agg(partition order by id desc))[1] = $3
            and ($4::text is null or bool_or(cause = $4))
          order by max(id)",
    )
    .bind(consumer)
    .bind(topic)
    .bind(partition)
    .bind(cause)
    .fetch_all(executor)
    .await
}

/// One parked record.
pub async fn find(executor: impl PgExecutor<'_>, consumer: &str, id: i64) -> sqlx::Result<Option<Parked>> {
    let row = sqlx::query(
        r#"select id, entity, topic, partition, "offset", record_time, record_key, record_value, record_headers, cause,
                  detail, attempts
             from parked_change where consumer = $1 and id = $2"#,
    )
    .bind(consumer)
    .bind(id)
    .fetch_optional(executor)
    .await?;
    row.as_ref().map(parked).transpose()
}

/// Notes that a parked record was tried again, and why it was refused again.
pub async fn note_attempt(executor: impl PgExecutor<'_>, id: i64, detail: &str) -> sqlx::Result<()> {
    sqlx::query("update parked_change set attempts = attempts + 1, detail = $2 where id = $1")
        .bind(id)
        .bind(detail)
        .execute(executor)
        .await?;
    Ok(())
}

fn parked(row: &sqlx::postgres::PgRow) -> sqlx::Result<Parked> {
    let headers: sqlx::types::Json<Vec<(String, Option<String>)>> = row.try_get("record_headers")?;
    let decode = |text: String| STANDARD.decode(text).map(Bytes::from).map_err(|e| sqlx::Error::Decode(e.into()));
    let headers = headers
        .0
        .into_iter()
        .map(|(name, value)| Ok((name, value.map(decode).transpose()?)))
        .collect::<sqlx::Result<Vec<_>>>()?;
    let time: OffsetDateTime = row.try_get("record_time")?;
    let topic: String = row.try_get("topic")?;
    Ok(Parked {
        id: row.try_get("id")?,
        entity: row.try_get("entity")?,
        record: Record {
            coordinates: Coordinates {
                topic: topic.into(),
                partition: row.try_get("partition")?,
                offset: row.try_get("offset")?,
            },
            timestamp_ms: i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
            key: row.try_get::<Option<Vec<u8>>, _>("record_key")?.map(Bytes::from),
            value: row.try_get::<Option<Vec<u8>>, _>("record_value")?.map(Bytes::from),
            headers,
        },
        cause: row.try_get("cause")?,
        detail: row.try_get("detail")?,
        attempts: row.try_get("attempts")?,
    })
}

/// Forgets a parked record that was applied.
pub async fn remove(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<bool> {
    let done = sqlx::query("delete from parked_change where id = $1").bind(id).execute(executor).await?;
    Ok(done.rows_affected() == 1)
}
