//! The parts that need a server, against real ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; clippy knows test functions, not what they call")]

mod cache;
mod faults;
mod lease;
mod lost_write;
mod pool;
