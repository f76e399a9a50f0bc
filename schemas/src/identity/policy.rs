//! `identity.public.policy`: what a role may do, and where.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::row::row;

/// A policy as it stands after a change. Its texts are all bounded by the table, so none can be left out of the log.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Policy {
    /// Snowflake.
    pub id: i64,
    /// The role's name.
    pub role: String,
    /// The service's name.
    pub service: String,
    /// What is acted on; `*` is anything.
    pub resource: String,
    /// What is done; `*` is anything.
    pub action: String,
    /// `allow` or `deny`.
    pub effect: String,
    /// Raised by every write: what the `ETag` is made of.
    pub version: i64,
    /// When it was deleted: set means gone, to every consumer.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
}

row!(Policy: "identity", "public.policy", []);
