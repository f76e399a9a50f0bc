#![doc = include_str!("../README.md")]

pub mod audit;
pub mod discard;
pub mod execute;
pub mod fleet;
pub mod operation;
pub mod plan;
pub mod position;

pub use audit::Audit;
pub use execute::{Done, execute};
pub use fleet::{Fleet, Owned};
pub use operation::{Operation, Refused};
pub use plan::{Plan, Spent};
