//! Debezium connectors: applied and inspected.
