//! commerce, over HTTP, on a database of each test's own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod boot;
mod categories;
mod hostile;
mod integrations;
mod isolation;
mod lists;
mod media;
mod merchants;
mod outage;
mod products;
mod search;
mod serving;
mod shop;
mod summary;
