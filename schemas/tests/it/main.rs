//! The files and the registry, against the stack's own registry; and a registry that misbehaves.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; clippy knows test functions, not what they call")]

mod files;
mod misbehaving;
mod registry;
