//! The consumer's decisions and effects against a real Postgres; Kafka is not needed for them.

mod level;
mod location;
mod race;
mod replay;
mod stand;
