//! Postgres: pools, what a failure means, and the rule by which writes run.

mod fault;
mod pool;
mod write;

pub use fault::Fault;
pub use pool::{PoolSettings, connect, wait_until_ready};
pub use write::{BoxFuture, uninterrupted, write};
