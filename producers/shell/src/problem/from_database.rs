//! What a failed statement becomes. The chain goes to the log; the caller gets a fixed sentence.

use platform::postgres::Fault;

use super::Problem;

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let fault = Fault::of(&error);
        match &fault {
            Fault::Unavailable => {
                tracing::warn!(%error, "the database is out of reach");
                Self::unavailable("UNAVAILABLE", "the database is out of reach at the moment; try again", 2)
            }
            Fault::Contended => {
                tracing::info!(%error, "another transaction was in the way");
                Self::unavailable("CONTENDED", "another request was in the way; try again", 1)
            }
            Fault::TooSlow => {
                tracing::error!(%error, "a statement ran beyond its time limit");
                Self::unavailable("TOO_SLOW", "the request took too long; ask for less or try again later", 5)
            }
            Fault::NotFound => Self::not_found("thing"),
            Fault::Conflict { constraint } => {
                tracing::warn!(constraint, "a unique constraint answered that no endpoint explains");
                Self::conflict("ALREADY_EXISTS", "something with these values exists already")
            }
            Fault::ForeignKey { constraint } => {
                tracing::warn!(constraint, "a foreign key answered that no endpoint explains");
                Self::conflict("REFERENCE", "something that this refers to is not there, or refers to this")
            }
            Fault::Check { constraint } => {
                tracing::warn!(constraint, "a check answered that no endpoint explains");
                Self::unprocessable("INVALID", "a value is not acceptable")
            }
            Fault::Bug { sqlstate } => {
                tracing::error!(%error, sqlstate, "a statement failed");
                Self::internal()
            }
        }
    }
}

/// Lets the constraint answer: `insert(..).await.on_constraint("category_slug_key", || Problem::taken(..))?`.
pub trait OnConstraint<T> {
    /// The result with the named constraint's violation (unique, exclusion, foreign key, check) explained; every other
    /// failure as [`Problem::from`] has it. Chain further constraints on the same call with a `match` on
    /// [`Fault::of`], or with [`OnConstraint::on_constraints`].
    ///
    /// # Errors
    /// The explained problem.
    fn on_constraint(self, name: &str, explain: impl FnOnce() -> Problem) -> Result<T, Problem>
    where
        Self: Sized,
    {
        self.on_constraints(|constraint| (constraint == name).then(explain))
    }

    /// The result with every violation explained that `explain` knows by the constraint's name.
    ///
    /// # Errors
    /// The explained problem.
    fn on_constraints(self, explain: impl FnOnce(&str) -> Option<Problem>) -> Result<T, Problem>;
}

impl<T> OnConstraint<T> for Result<T, sqlx::Error> {
    fn on_constraints(self, explain: impl FnOnce(&str) -> Option<Problem>) -> Result<T, Problem> {
        self.map_err(|error| {
            let explained = match Fault::of(&error) {
                Fault::Conflict { constraint } | Fault::ForeignKey { constraint } | Fault::Check { constraint } => {
                    explain(&constraint)
                }
                _ => None,
            };
            explained.unwrap_or_else(|| error.into())
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn an_exhausted_pool_answers_503_with_retry_after() {
        let response = Problem::from(sqlx::Error::PoolTimedOut).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }

    #[test]
    fn a_bug_answers_500_and_says_nothing_of_the_database() {
        let problem = Problem::from(sqlx::Error::ColumnNotFound("secret_column".into()));
        assert_eq!(problem.status, 500);
        assert!(!format!("{problem:?}").contains("secret_column"));
    }
}
