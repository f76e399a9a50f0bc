//! The statements on `idempotency_key` (see `sql/idempotency_key.sql`).

use axum::http::StatusCode;
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use crate::answer::Answer;

pub(super) const PRIMARY_KEY: &str = "idempotency_key_pkey";

/// What is known of a key.
pub(super) enum Found {
    /// Another transaction holds it.
    Running,
    /// It was answered.
    Answered(Stored),
    /// It is new, and this transaction holds it now.
    Nothing,
}

/// An answer as it was stored.
pub(super) struct Stored {
    pub(super) fingerprint: Vec<u8>,
    pub(super) answer: Answer,
}

/// Takes the key's lock for the transaction, without waiting, and looks for its answer: one round trip.
pub(super) async fn lock_and_find(executor: impl PgExecutor<'_>, scope: &[u8; 32]) -> Result<Found, sqlx::Error> {
    let mut high = [0; 8];
    high.copy_from_slice(&scope[..8]);
    let row = sqlx::query(
        "select held.is_held, k.fingerprint, k.status, k.location, k.etag, k.body
         from (select pg_try_advisory_xact_lock($1) as is_held) held
         left join idempotency_key k on k.scope = $2",
    )
    .bind(i64::from_be_bytes(high))
    .bind(&scope[..])
    .fetch_one(executor)
    .await?;
    // An answer is an answer, even while a request that repeats it too holds the lock.
    if row.try_get::<Option<i16>, _>("status")?.is_some() {
        return Ok(Found::Answered(stored(&row)?));
    }
    if row.try_get("is_held")? { Ok(Found::Nothing) } else { Ok(Found::Running) }
}

/// Looks for the answer of a key.
pub(super) async fn find(executor: impl PgExecutor<'_>, scope: &[u8; 32]) -> Result<Option<Stored>, sqlx::Error> {
    sqlx::query("select fingerprint, status, location, etag, body from idempotency_key where scope = $1")
        .bind(&scope[..])
        .fetch_optional(executor)
        .await?
        .as_ref()
        .map(stored)
        .transpose()
}

/// Stores an answer in the transaction of its effect.
pub(super) async fn insert(
    executor: impl PgExecutor<'_>,
    scope: &[u8; 32],
    fingerprint: &[u8; 32],
    answer: &Answer,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into idempotency_key (scope, fingerprint, status, location, etag, body)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&scope[..])
    .bind(&fingerprint[..])
    .bind(i16::try_from(answer.status.as_u16()).unwrap_or(200))
    .bind(&answer.location)
    .bind(&answer.etag)
    .bind(&answer.body[..])
    .execute(executor)
    .await?;
    Ok(())
}

/// Deletes up to 1,000 answers that are older than so many seconds; says how many.
pub(super) async fn delete_older(executor: impl PgExecutor<'_>, seconds: f64) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query(
        "delete from idempotency_key where scope in (
             select scope from idempotency_key where created_at < now() - make_interval(secs => $1)
             order by created_at limit 1000 for update skip locked)",
    )
    .bind(seconds)
    .execute(executor)
    .await?;
    Ok(deleted.rows_affected())
}

fn stored(row: &PgRow) -> Result<Stored, sqlx::Error> {
    let status = u16::try_from(row.try_get::<i16, _>("status")?).ok().and_then(|code| StatusCode::from_u16(code).ok());
    let answer = Answer {
        status: status.unwrap_or(StatusCode::OK),
        etag: row.try_get("etag")?,
        location: row.try_get("location")?,
        body: row.try_get::<Vec<u8>, _>("body")?.into(),
    };
    Ok(Stored { fingerprint: row.try_get("fingerprint")?, answer })
}
