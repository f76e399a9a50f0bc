//! The few endpoints of Typesense that are needed, over HTTP.

mod client;
mod collection;
mod import;

pub(crate) use client::Typesense;
pub use collection::COLLECTION;
pub(crate) use import::{Refusal, unreadable};
