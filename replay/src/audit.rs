//! What operators did, in a chain that cannot be altered unseen.
//!
//! Each entry carries an HMAC-SHA-256 over its fields and the entry before, under a key that the database does not have
//! (`APP_ENV_AUDIT_KEY`). The head of the chain is written outside the database too: a chain that was cut off
//! at its end is whole in itself, and only the head outside tells.

mod append;
mod export;
mod heads;
mod list;
mod verify;

use hmac::{Hmac, KeyInit, Mac};
use platform::sealing::Key;
use sha2::Sha256;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

pub use append::{AppendError, Audit, Note, Phase};
pub use export::{described, export};
pub use heads::{Head, Heads, HeadsError};
pub use list::list;
pub use verify::{Broken, Verified, verify};

/// The HMAC of an entry.
pub type Tag = [u8; 32];

/// What comes before the first entry.
const NOTHING: Tag = [0; 32];

/// An entry of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counted from 1 without gaps.
    pub id: i64,
    /// When it was written, by the database's clock.
    pub at: OffsetDateTime,
    /// The database role that wrote it: operators log in as themselves.
    pub operator: String,
    /// What was done: `pause`, `rewind`, `release`, ...
    pub action: String,
    /// `before` it was done, or `after`.
    pub phase: String,
    /// To what: the consumer's name.
    pub subject: String,
    /// The plan before, the outcome after: JSON, byte by byte as it was written.
    pub detail: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// The ticket that it belongs to.
    pub ticket: Option<String>,
    /// The entry before.
    pub previous_mac: Vec<u8>,
    /// This entry.
    pub mac: Vec<u8>,
}

impl Entry {
    /// The HMAC that this entry must have after `previous`.
    #[must_use]
    pub fn tag(&self, key: &Key, previous: &[u8]) -> Tag {
        let mut mac = keyed(key);
        mac.update(previous);
        mac.update(&self.id.to_be_bytes());
        mac.update(&micros(self.at).to_be_bytes());
        for text in [&self.operator, &self.action, &self.phase, &self.subject, &self.detail, &self.reason] {
            absorb(&mut mac, text);
        }
        match &self.ticket {
            Some(ticket) => absorb(&mut mac, ticket),
            None => mac.update(&u64::MAX.to_be_bytes()),
        }
        mac.finalize().into_bytes().into()
    }
}

/// With its length before it, so that no two lists of texts are the same bytes.
fn absorb(mac: &mut Hmac<Sha256>, text: &str) {
    mac.update(&(text.len() as u64).to_be_bytes());
    mac.update(text.as_bytes());
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
fn keyed(key: &Key) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.bytes()).expect("a key of 32 bytes is a key")
}

/// Microseconds since 1970: what the database keeps of a time.
fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn entry(row: &PgRow) -> sqlx::Result<Entry> {
    Ok(Entry {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        operator: row.try_get("operator")?,
        action: row.try_get("action")?,
        phase: row.try_get("phase")?,
        subject: row.try_get("subject")?,
        detail: row.try_get("detail")?,
        reason: row.try_get("reason")?,
        ticket: row.try_get("ticket")?,
        previous_mac: row.try_get("previous_mac")?,
        mac: row.try_get("mac")?,
    })
}
