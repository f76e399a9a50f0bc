//! The service against a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; clippy knows test functions, not what they call")]

mod isolation;
mod serve;
mod service;
mod tax_info;
mod world;
