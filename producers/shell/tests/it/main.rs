//! The kit against real servers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; clippy knows test functions, not what they call")]

mod authorize;
mod bad_input;
mod document;
mod flow;
mod idempotency;
mod limits;
mod outage;
mod service;
mod sql;
mod stop;
mod widget;
