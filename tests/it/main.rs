//! End to end: a row committed in a source database reaches its targets through Debezium, Kafka and the registry.
#![expect(clippy::unwrap_used, reason = "the functions beside the tests are tests too")]

mod alerts;
mod boundaries;
mod caches;
mod golden;
mod inventory_defaults;
mod merchant_tax;
mod observe;
mod operate;
mod outages;
mod policies;
mod repair;
mod runbooks;
mod search_repair;
mod search_sync;
