//! The consumer contract against a real Kafka, registry and Postgres: each test has a topic, a group and databases of its
//! own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; clippy knows test functions, not what they call")]

mod backlog;
mod delivery;
mod items;
mod orders;
mod outage;
mod parking;
mod stage;
mod start;
mod zombie;
