//! End to end: a row committed in a source database reaches its targets through Debezium, Kafka and the registry.

mod boundaries;
mod caches;
mod inventory_defaults;
mod merchant_tax;
mod search_sync;
