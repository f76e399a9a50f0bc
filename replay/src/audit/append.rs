//! One more entry.

use platform::sealing::Key;
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Row as _};

use super::{Entry, Head, Heads, HeadsError, NOTHING, entry};

/// The audit, for writing.
#[derive(Clone)]
pub struct Audit {
    pool: PgPool,
    key: Key,
    heads: Heads,
}

/// Whether an entry says what is about to be done or what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// About to be done.
    Before,
    /// Done, or failed: the detail says which.
    After,
}

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Note<'n> {
    /// What is done.
    pub action: &'n str,
    /// Before or after.
    pub phase: Phase,
    /// To what.
    pub subject: &'n str,
    /// The plan, or the outcome.
    pub detail: &'n Value,
    /// Why.
    pub reason: &'n str,
    /// The ticket that it belongs to.
    pub ticket: Option<&'n str>,
}

/// Why an entry could not be written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The database refused it.
    #[error("the audit cannot be written: {0}")]
    Database(#[from] sqlx::Error),
    /// The entry is written, and its head outside is not.
    #[error(transparent)]
    Head(#[from] HeadsError),
}

impl Audit {
    /// The audit in `backbone`, with the key of its chain and the place of its heads.
    #[must_use]
    pub fn new(pool: PgPool, key: Key, heads: Heads) -> Self {
        Self { pool, key, heads }
    }

    /// Writes an entry, and its head outside the database. Answers its number.
    pub async fn append(&self, note: Note<'_>) -> Result<i64, AppendError> {
        let mut transaction = self.pool.begin().await?;
        let entry = next(&mut transaction, note).await?;
        let tag = entry.tag(&self.key, &entry.previous_mac);
        insert(&mut transaction, &entry, &tag).await?;
        transaction.commit().await?;
        let mac = hex::encode(tag);
        tracing::info!(
            audit = entry.id,
            mac,
            operator = entry.operator,
            action = entry.action,
            phase = entry.phase,
            subject = entry.subject,
            "audit {} {}",
            entry.id,
            mac
        );
        self.heads.put(&Head { id: entry.id, mac }).await?;
        Ok(entry.id)
    }
}

/// The entry after the last, under a lock that the transaction holds: two operators at once write one after the other.
async fn next(connection: &mut PgConnection, note: Note<'_>) -> sqlx::Result<Entry> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('audit'))").execute(&mut *connection).await?;
    let last = sqlx::query("select * from audit order by id desc limit 1").fetch_optional(&mut *connection).await?;
    let (id, previous_mac) = match last.as_ref().map(entry).transpose()? {
        Some(last) => (last.id + 1, last.mac),
        None => (1, NOTHING.to_vec()),
    };
    let now =
        sqlx::query("select clock_timestamp() as at, session_user::text as operator").fetch_one(connection).await?;
    let phase = match note.phase {
        Phase::Before => "before",
        Phase::After => "after",
    };
    Ok(Entry {
        id,
        at: now.try_get("at")?,
        operator: now.try_get("operator")?,
        action: note.action.to_owned(),
        phase: phase.to_owned(),
        subject: note.subject.to_owned(),
        detail: note.detail.to_string(),
        reason: note.reason.to_owned(),
        ticket: note.ticket.map(str::to_owned),
        previous_mac,
        mac: Vec::new(),
    })
}

async fn insert(connection: &mut PgConnection, entry: &Entry, tag: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "insert into audit (id, at, operator, action, phase, subject, detail, reason, ticket, previous_mac, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(entry.id)
    .bind(entry.at)
    .bind(&entry.operator)
    .bind(&entry.action)
    .bind(&entry.phase)
    .bind(&entry.subject)
    .bind(&entry.detail)
    .bind(&entry.reason)
    .bind(&entry.ticket)
    .bind(&entry.previous_mac)
    .bind(tag)
    .execute(connection)
    .await?;
    Ok(())
}
