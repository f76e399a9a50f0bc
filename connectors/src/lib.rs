//! Debezium connectors: one reviewed configuration per source service, applied, inspected and signalled.
//!
//! `README.md` beside this crate says what each setting is for.

pub mod apply;
pub mod brokers;
pub mod connect;
pub mod delete;
pub mod signal;
pub mod slot;
pub mod status;
pub mod template;
pub mod topics;
pub mod trace;

pub use connect::{Connect, ConnectError};
pub use template::{Configuration, TemplateError};
