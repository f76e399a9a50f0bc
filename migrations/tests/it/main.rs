//! The rules of migrations, read from the catalogue of migrated databases.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod captured;
mod idempotence;
mod rights;
