//! End to end: a row committed in a source database reaches its targets through Debezium, Kafka and the registry.

mod merchant_tax;
