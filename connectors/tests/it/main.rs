//! Real connectors against the real stack, each with a database, a slot, a topic prefix and schemas of its own.

mod apply;
mod capture;
mod events;
mod lab;
mod reader;
mod schema;
