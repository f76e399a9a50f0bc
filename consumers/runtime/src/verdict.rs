//! The whole policy of what happens when something goes wrong, on one screen.
//!
//! Four verdicts: **Applied** (no fault), **Retry**, **Park**, **Halt**. Whatever is not known here halts: a fault that
//! nobody thought of is looked at by a person, never skipped.

use std::time::Duration;

/// Why an effect could not be applied, as a consumer's `apply` reports it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The target or `backbone` is a Postgres database and said this.
    #[error(transparent)]
    Postgres(#[from] sqlx::Error),
    /// The target is not ready: slow, restarting, overloaded. The same request may go through later.
    #[error("{reason}")]
    Unavailable {
        /// What was seen, for the log line.
        reason: String,
        /// What the target asked for (`Retry-After`), if it asked for anything.
        retry_after: Option<Duration>,
    },
    /// The target looked at this content and refused it: sending it again gives the same answer.
    #[error("{0}")]
    Refused(String),
    /// Anything else. Halts.
    #[error("{0:#}")]
    Unknown(#[from] anyhow::Error),
}

/// What is done about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Transient: the partition waits, keeps its order, and tries again.
    Retry,
    /// This record can never apply: it is kept aside with its bytes, and later ones of its key follow it.
    Park,
    /// A bug, or something nobody thought of: the partition stops and a person is called.
    Halt,
}

impl Fault {
    /// The verdict on this fault.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Unavailable { .. } => Verdict::Retry,
            Self::Refused(_) => Verdict::Park,
            Self::Unknown(_) => Verdict::Halt,
            Self::Postgres(error) => of_postgres(error),
        }
    }
}

fn of_postgres(error: &sqlx::Error) -> Verdict {
    match error {
        // The outcome of a commit whose connection broke is unknown; effects are idempotent, so it is done again.
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => Verdict::Retry,
        sqlx::Error::Database(database) => of_sqlstate(database.code().as_deref().unwrap_or_default()),
        _ => Verdict::Halt,
    }
}

/// The verdict on an SQLSTATE (PostgreSQL 15, Appendix A).
fn of_sqlstate(code: &str) -> Verdict {
    match code.get(..2).unwrap_or_default() {
        // connection exception; transaction rollback (serialization, deadlock); insufficient resources;
        // operator intervention (restart, cancelled); system error
        "08" | "40" | "53" | "57" | "58" => Verdict::Retry,
        // object not in prerequisite state: lock_not_available
        "55" if code == "55P03" => Verdict::Retry,
        // read-only transaction: a failover is under way; a transaction that stood idle too long: an outside call in it was slow
        "25" if matches!(code, "25006" | "25P03") => Verdict::Retry,
        // data exception; integrity constraint violation: this content is refused
        "22" | "23" => Verdict::Park,
        // a table that is not there, a permission that is missing, a syntax error: ours to mend
        _ => Verdict::Halt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_deadlocks_and_full_disks_are_tried_again() {
        for code in ["08006", "40001", "40P01", "53300", "53100", "57P01", "57P02", "57P03", "55P03", "25006", "25P03"]
        {
            assert_eq!(of_sqlstate(code), Verdict::Retry, "{code}");
        }
    }

    #[test]
    fn a_connection_that_breaks_is_tried_again_and_a_pool_that_was_closed_halts() {
        let lost = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        for error in [lost, sqlx::Error::PoolTimedOut, sqlx::Error::WorkerCrashed] {
            assert_eq!(of_postgres(&error), Verdict::Retry, "{error}");
        }
        // nothing here closes a pool, and no closed one opens again
        assert_eq!(of_postgres(&sqlx::Error::PoolClosed), Verdict::Halt);
    }

    #[test]
    fn content_that_the_target_refuses_is_parked() {
        for code in ["22001", "22P02", "23502", "23503", "23505", "23514"] {
            assert_eq!(of_sqlstate(code), Verdict::Park, "{code}");
        }
    }

    #[test]
    fn what_nobody_thought_of_halts() {
        for code in ["42P01", "42501", "XX000", "", "P0001"] {
            assert_eq!(of_sqlstate(code), Verdict::Halt, "{code}");
        }
        assert_eq!(Fault::Unknown(anyhow::anyhow!("?")).verdict(), Verdict::Halt);
    }
}
