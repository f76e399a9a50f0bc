//! The consumer loop: subscribe, decode, fold, decide, apply, retry, park, commit, measure, stop.
#![doc = include_str!("../README.md")]

mod assignment;
mod backoff;
pub mod budget;
pub mod change;
pub mod comparison;
pub mod consumer;
mod control;
pub mod epoch;
pub mod fold;
pub mod frontier;
pub mod guard;
pub mod held;
pub mod inbox;
mod lane;
pub mod parked_keys;
pub mod parking;
mod poll;
pub mod preview;
pub mod projection;
pub mod record;
pub mod settings;
mod stall;
pub mod topic;
mod turn;
pub mod verdict;
pub mod worker;

pub use change::{Change, Coordinates, Effect, EntityKey};
pub use comparison::Comparison;
pub use consumer::{Batch, Consumer, Decision, Outcome, Planned, Sources};
pub use held::{Held, Rows};
pub use preview::{Difference, Preview};
pub use projection::Projection;
pub use settings::Settings;
pub use topic::Topic;
pub use verdict::Fault;
pub use worker::{Surroundings, run};
