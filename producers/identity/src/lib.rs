//! Identity.
pub mod bootstrap;
pub mod password;
pub mod policy;
pub mod rank;
pub mod role { pub mod store; }
pub mod secret;
pub mod service_account { pub mod store; }
pub mod signing_key;
pub mod state;
pub mod throttle;
pub mod token;
pub mod user { pub mod store; pub mod grant; pub mod email; }
