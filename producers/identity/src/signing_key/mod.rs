//! The keys that sign tokens and the policy bundle.

pub mod keypair;
pub mod ring;
pub mod store;
