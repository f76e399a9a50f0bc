//! The operator's tools on a control database of each test's own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audit;
mod plan;
