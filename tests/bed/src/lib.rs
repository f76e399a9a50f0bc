//! What tests stand on: the stack's coordinates, a fresh migrated database for each test, names of one's own, gates before
//! the stack's servers, and a Postgres that may be crashed.
//!
//! Tests run in parallel and twice in a row without cleaning, so nothing here is shared but templates.

mod cluster;
mod database;
mod gate;
mod stack;

pub use cluster::{Cluster, Stop};
pub use database::{Database, database};
pub use gate::Gate;
pub use stack::environment;

/// A name that no other test, process or run has: the prefix, then digits that grow with time and random letters.
#[must_use]
pub fn unique(prefix: &str) -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{prefix}_{}_{:08x}", since.as_secs(), rand::random::<u32>())
}
