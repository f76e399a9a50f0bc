//! Parameters in the path and in the query, refused clearly.

use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Parameters of the path: `Path(id): Path<Id>`, or a tuple of several. A malformed one (an id beyond 64 bits too)
/// answers 400.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path(value) =
            axum::extract::Path::from_request_parts(parts, state).await.map_err(|rejection| refused(&rejection))?;
        Ok(Self(value))
    }
}

fn refused(rejection: &PathRejection) -> Problem {
    let (name, message) = match rejection {
        PathRejection::FailedToDeserializePathParams(error) => match error.kind() {
            ErrorKind::DeserializeError { key, message, .. } => (key.clone(), message.clone()),
            ErrorKind::ParseErrorAtKey { key, expected_type, .. } => {
                (key.clone(), format!("is not of type {expected_type}"))
            }
            ErrorKind::InvalidUtf8InPathParam { key } => (key.clone(), "is not UTF-8".to_owned()),
            other => ("path".to_owned(), other.to_string()),
        },
        other => ("path".to_owned(), other.to_string()),
    };
    Problem::malformed("MALFORMED_PARAMETER", "a parameter in the path is malformed").field(name, "MALFORMED", message)
}

/// Parameters of the query, beside [`crate::Page`]'s. A malformed one answers 400. Fields of `T` should be optional
/// or have defaults.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let refuse = |message: String| {
            Problem::malformed("MALFORMED_PARAMETER", "a parameter in the query is malformed").field(
                "query",
                "MALFORMED",
                message,
            )
        };
        // A U+0000, in clear or escaped, would be refused by Postgres later.
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(refuse("must not contain the character U+0000".to_owned()));
        }
        let axum::extract::Query(value) =
            axum::extract::Query::try_from_uri(&parts.uri).map_err(|rejection| refuse(rejection.body_text()))?;
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde::Deserialize;

    use super::*;
    use crate::id::Id;

    #[derive(Debug, Deserialize)]
    struct Filter {
        category: Option<Id>,
    }

    async fn query(uri: &str) -> Result<Option<Id>, Problem> {
        let (mut parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        Query::<Filter>::from_request_parts(&mut parts, &()).await.map(|Query(filter)| filter.category)
    }

    #[tokio::test]
    async fn a_malformed_query_parameter_answers_400() {
        assert_eq!(query("/?category=7").await.unwrap(), Some(Id(7)));
        assert_eq!(query("/").await.unwrap(), None);
        for uri in ["/?category=x", "/?category=99999999999999999999", "/?category=1&category=2", "/?other=a%00b"] {
            assert_eq!(query(uri).await.unwrap_err().status, 400, "{uri}");
        }
    }
}
