//! Policy definitions, and the bundle that shells decide by.

pub mod bundle;
pub mod store;
