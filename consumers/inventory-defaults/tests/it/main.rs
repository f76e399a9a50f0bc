//! The consumer's decisions and effects against a real Postgres; Kafka is not needed for them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; clippy knows test functions, not what they call")]

mod level;
mod location;
mod race;
mod replay;
mod stand;
