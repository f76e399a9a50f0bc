//! Identity against a real Postgres, through its router.

mod access;
mod bootstrap;
mod capture;
mod forged;
mod key;
mod policy;
mod refresh;
mod role;
mod service_account;
mod site;
mod throttle;
mod token;
mod user;
