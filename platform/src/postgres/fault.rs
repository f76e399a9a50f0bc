//! What a failed statement means to whoever sent it.

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgDatabaseError;

/// The meaning of a [`sqlx::Error`]. Never show the error itself to a caller: log it, and answer by its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The server is out of reach, starting, stopping or full, or no connection of the pool came free in time: trying
    /// later may help.
    Unavailable,
    /// Another transaction was in the way (serialization, deadlock, lock not available): trying again will help.
    Contended,
    /// A unique or exclusion constraint of this name refused the row.
    Conflict {
        /// The constraint's name.
        constraint: String,
    },
    /// A foreign key of this name refused the row, or the removal of a row that others point at.
    ForeignKey {
        /// The constraint's name.
        constraint: String,
    },
    /// A check or not-null constraint refused the row; `constraint` is the column for not-null.
    Check {
        /// The constraint's (or column's) name.
        constraint: String,
    },
    /// A row was asked for that is not there.
    NotFound,
    /// The statement ran beyond its time limit and was cancelled.
    TooSlow,
    /// Anything else: a bug in a statement, a missing table, a wrong type. A human looks.
    Bug {
        /// The SQLSTATE, when the server gave one.
        sqlstate: Option<String>,
    },
}

impl Fault {
    /// What this error means.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed
            // The bytes of a connection that broke in the middle of a message.
            | sqlx::Error::Protocol(_) => Self::Unavailable,
            sqlx::Error::Database(database) => Self::of_database(database.as_ref()),
            _ => Self::Bug { sqlstate: None },
        }
    }

    fn of_database(error: &dyn DatabaseError) -> Self {
        let constraint = error.constraint().unwrap_or_default().to_owned();
        match error.kind() {
            ErrorKind::UniqueViolation | ErrorKind::ExclusionViolation => return Self::Conflict { constraint },
            ErrorKind::ForeignKeyViolation => return Self::ForeignKey { constraint },
            ErrorKind::CheckViolation => return Self::Check { constraint },
            ErrorKind::NotNullViolation => {
                let column = error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::column);
                return Self::Check { constraint: column.unwrap_or_default().to_owned() };
            }
            _ => {}
        }
        let sqlstate = error.code().unwrap_or_default().into_owned();
        Self::of_sqlstate(&sqlstate).unwrap_or(Self::Bug { sqlstate: Some(sqlstate) })
    }

    /// The codes of PostgreSQL's appendix A that are the server's condition rather than the statement's.
    fn of_sqlstate(sqlstate: &str) -> Option<Self> {
        match sqlstate {
            // serialization_failure, deadlock_detected, lock_not_available
            "40001" | "40P01" | "55P03" => Some(Self::Contended),
            // query_canceled, which is what a statement_timeout is
            "57014" => Some(Self::TooSlow),
            // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout,
            // idle_in_transaction_session_timeout, too_many_connections, read_only_sql_transaction (a standby)
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "53300" | "25006" => Some(Self::Unavailable),
            // connection exceptions, insufficient resources, system errors
            code if code.starts_with("08") || code.starts_with("53") || code.starts_with("58") => {
                Some(Self::Unavailable)
            }
            _ => None,
        }
    }

    /// Whether the same statement may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable | Self::Contended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_and_an_empty_pool_are_unavailable() {
        let lost = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        for error in [lost, sqlx::Error::PoolTimedOut, sqlx::Error::PoolClosed] {
            assert_eq!(Fault::of(&error), Fault::Unavailable);
        }
        assert_eq!(Fault::of(&sqlx::Error::RowNotFound), Fault::NotFound);
        assert_eq!(Fault::of(&sqlx::Error::ColumnNotFound("x".into())), Fault::Bug { sqlstate: None });
    }

    #[test]
    fn the_servers_own_conditions_are_told_from_a_statements_faults() {
        for (sqlstate, meaning) in [
            ("40001", Some(Fault::Contended)),
            ("57P01", Some(Fault::Unavailable)),
            ("57P02", Some(Fault::Unavailable)),
            ("57P03", Some(Fault::Unavailable)),
            ("08006", Some(Fault::Unavailable)),
            ("53300", Some(Fault::Unavailable)),
            ("57014", Some(Fault::TooSlow)),
            ("42P01", None),
        ] {
            assert_eq!(Fault::of_sqlstate(sqlstate), meaning, "{sqlstate}");
        }
    }
}
