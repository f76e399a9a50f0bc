#![doc = include_str!("../README.md")]

pub mod audit;
mod brake;
pub mod discard;
pub mod dry_run;
pub mod epoch;
pub mod execute;
pub mod fleet;
pub mod journal;
pub mod key;
pub mod operation;
pub mod plan;
pub mod position;
pub mod range;
mod reading;
pub mod reconcile;
pub mod reindex;
pub mod repair;
pub mod rerun;
pub mod selection;
pub mod trace;

pub use audit::Audit;
pub use execute::{Done, execute};
pub use fleet::{Fleet, Owned};
pub use operation::{Operation, Refused};
pub use plan::{Plan, Spent};
pub use range::Range;
pub use reindex::Step;
pub use selection::Selection;
