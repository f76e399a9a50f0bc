//! Policy definitions, and the bundle that shells decide by.

pub mod bundle;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod serve_bundle;
pub(crate) mod shown;
pub mod store;
pub(crate) mod update;
