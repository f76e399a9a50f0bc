//! `identity.public.role`: names that policies give rights to.

use serde::Deserialize;
use time::OffsetDateTime;

use crate::Field;
use crate::row::row;

/// A role as it stands after a change.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Role {
    /// Snowflake.
    pub id: i64,
    /// Upper case, at most 40 characters; means the same role forever.
    pub name: String,
    /// For people.
    pub description: Field<String>,
    /// One of the five that the code knows.
    pub built_in: bool,
    /// Raised by every write: what the `ETag` is made of.
    pub version: i64,
    /// When it was deleted: set means gone, to every consumer.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
}

row!(Role: "identity", "public.role", [description]);
