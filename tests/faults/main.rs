//! Bad days: a fault in the middle of a load, and in the evening nothing is lost, doubled or taken back.
//!
//! Each test is one fault. It prints its seed; `SLUICE_FAULTS_SEED` runs the same day again, `SLUICE_FAULTS_EVENTS` makes it
//! longer. Those of [`alone`] stop or change servers that others use, and those of [`bulk`] change so much that whoever shares
//! their source waits: `tests/faults/run` gives them a stack of their own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions beside the tests are tests too")]

mod alone;
mod bulk;
mod clock;
mod crash;
mod day;
mod engine;
mod group;
mod groups;
mod poison;
mod registry;
mod relay;
mod report;
mod search;
mod server;
mod statement;
mod stream;
mod target;
mod truth;
mod writer;
