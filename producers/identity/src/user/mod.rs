//! Users: people who sign in.

pub(crate) mod create;
pub(crate) mod delete;
pub mod email;
pub mod grant;
pub(crate) mod list;
pub(crate) mod set_merchants;
pub(crate) mod set_roles;
pub(crate) mod shown;
pub mod store;
pub(crate) mod update;
