//! The consumer contract against a real Kafka, registry and Postgres: each test has a topic, a group and databases of its
//! own.

mod delivery;
mod parking;
mod stage;
mod start;
