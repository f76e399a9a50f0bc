//! search-sync on the stack's Postgres and Typesense: changes made by hand, documents as they are found.

mod above;
mod engine;
mod find;
mod gone;
mod late;
mod rate;
mod refuse;
mod shop;
