//! search-sync on the stack's Postgres and Typesense: changes made by hand, documents as they are found.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; clippy knows test functions, not what they call")]

mod above;
mod compare;
mod engine;
mod find;
mod gone;
mod late;
mod refuse;
mod reindex;
mod shop;
