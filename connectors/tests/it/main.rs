//! Real connectors against the real stack, each with a database, a slot, a topic prefix and schemas of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; clippy knows test functions, not what they call")]

mod apply;
mod capture;
mod events;
mod lab;
mod pipeline;
mod reader;
mod schema;
