//! What the topics carry: the rows' types, the envelope around them, the registry that names their schemas, and the
//! reviewed files that the registry must agree with.
//!
//! One folder per topic holds what is true of it (`key.avsc`, `value.avsc`, every released version, real examples);
//! one module per topic holds its row as consumers read it. See `README.md` beside this crate.

pub mod accept;
pub mod ccompat;
pub mod check;
pub mod columns;
pub mod commerce;
pub mod compact;
pub mod compatibility;
pub mod decode;
pub mod diff;
pub mod drift;
pub mod envelope;
pub mod field;
pub mod files;
pub mod identity;
pub mod position;
pub mod push;
pub mod registry;
pub mod row;
pub mod wire;

#[cfg(test)]
mod contract;

pub use envelope::{Envelope, Operation, Snapshot, Source, Transaction};
pub use field::{Field, Json};
pub use position::{Lsn, Position, Sequence};
pub use registry::{Registry, RegistryError};
pub use row::{Id, Row};
