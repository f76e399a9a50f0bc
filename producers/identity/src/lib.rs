#![doc = include_str!("../README.md")]

pub mod actor;
pub mod bootstrap;
pub mod housekeeping;
mod me;
pub mod password;
pub mod policy;
pub mod prepare;
mod problem;
pub mod rank;
pub mod role;
pub mod secret;
pub mod service_account;
pub mod settings;
pub mod signing_key;
pub mod state;
pub mod throttle;
pub mod token;
pub mod user;

pub use bootstrap::{BootstrapError, Bootstrapped, bootstrap};
pub use prepare::{prepare, router};
