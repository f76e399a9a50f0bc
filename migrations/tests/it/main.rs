//! The rules of migrations, read from the catalogue of migrated databases.

mod captured;
mod idempotence;
mod rights;
