//! Databases, roles and migrations.
//!
//! Three steps, each idempotent and safe to run from several processes at once: [`provision`] makes roles and databases
//! and needs an administrator, [`migrate`] brings one database up to date and needs only that database's own role,
//! [`seed`] writes the rows that every installation has. [`run`] does all of it for what the environment names.

mod apply;
mod embedded;
mod provision;
mod run;

pub use apply::{Applied, fingerprint, migrate, seed};
pub use embedded::{DATABASES, Database};
pub use provision::{OPERATOR, Passwords, READER, REPLICATION, VIEWER, provision};
pub use run::{Report, run};

/// Why databases could not be made or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed.
    #[error("{doing}: {source}")]
    Statement {
        /// What was being done, as a phrase (`creating role commerce`).
        doing: String,
        /// What the database answered.
        source: sqlx::Error,
    },
    /// A migration failed, or does not fit what was applied before.
    #[error("migrating {database}: {source}")]
    Migration {
        /// The database.
        database: &'static str,
        /// Which one and why.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// A password that a role needs was not given.
    #[error("no password for role {0}: set {1}")]
    Password(&'static str, String),
    /// A connection URL cannot be read.
    #[error("{0} is not a connection URL: write postgres://role:password@host:port/database")]
    Url(String),
    /// The environment names no database at all.
    #[error("nothing to migrate: set APP_ENV_ADMIN_DB_URL, or <DATABASE>__APP_ENV_DB_URL for at least one database")]
    Nothing,
}

impl Error {
    fn doing(doing: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Statement { doing, source }
    }
}
