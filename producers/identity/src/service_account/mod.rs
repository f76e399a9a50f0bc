//! Service accounts: programs that authenticate with a secret.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod rotate;
pub(crate) mod shown;
pub mod store;
pub(crate) mod update;
