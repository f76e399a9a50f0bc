//! The consumer's effects against a real Redis and a real control database; Kafka is not needed for them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; clippy knows test functions, not what they call")]

mod drop;
mod fault;
mod stand;
