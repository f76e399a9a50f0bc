//! Identity against a real Postgres, through its router.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do the functions that its steps are made of"
)]

mod access;
mod bootstrap;
mod capture;
mod forged;
mod key;
mod policy;
mod refresh;
mod role;
mod serve;
mod service_account;
mod site;
mod throttle;
mod token;
mod user;
