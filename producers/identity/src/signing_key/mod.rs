//! The keys that sign tokens and the policy bundle.

pub(crate) mod jwks;
pub mod keypair;
pub(crate) mod list;
pub mod ring;
pub(crate) mod rotate;
pub mod store;
