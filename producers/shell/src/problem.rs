//! Every answer that is not a success: `application/problem+json` (RFC 9457) with a stable `code`.

mod from_database;
mod render;

use std::borrow::Cow;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use from_database::OnConstraint;
pub(crate) use render::{Identity, NoProblem, finish};

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Where in the request's body, as a JSON Pointer (RFC 6901); the name of a query parameter or header otherwise.
    pub pointer: String,
    /// What is wrong, stable.
    pub code: Cow<'static, str>,
    /// What is wrong, for people.
    pub message: String,
}

/// A refusal or a failure, as the caller sees it. Made with the constructors below; a database's message never gets in.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code that programs decide on, in capitals: `SLUG_TAKEN`.
    pub code: Cow<'static, str>,
    /// A sentence for people, about this occurrence.
    pub detail: Cow<'static, str>,
    /// The fields that are wrong.
    pub errors: Vec<FieldProblem>,
    /// More members of the document (RFC 9457 section 3.2).
    pub members: Box<Map<String, Value>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// Any status and code.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        let members = Box::default();
        Self { status, code: code.into(), detail: detail.into(), errors: Vec::new(), members, headers: Vec::new() }
    }

    /// 400: the request cannot be read.
    pub fn malformed(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: no credentials, or refused ones. Says how to authenticate, and not why these were refused.
    #[must_use]
    pub fn unauthenticated(code: &'static str) -> Self {
        let detail = "authenticate with a bearer token, or as a service account with basic credentials";
        let challenge = HeaderValue::from_static("Bearer realm=\"sluice\", Basic realm=\"sluice\"");
        Self::new(StatusCode::UNAUTHORIZED, code, detail).header(header::WWW_AUTHENTICATE, challenge)
    }

    /// 403: the caller's roles do not allow this action.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", "your roles do not allow this action")
    }

    /// 404: there is no such `what` ("category"), or not for this caller.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is no such {what}, or you may not see it"))
    }

    /// 409: the state does not allow it.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: the request is readable, but not acceptable. Add the fields with [`Problem::field`].
    pub fn unprocessable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 422 for one field: `Problem::invalid("/slug", "SLUG_TAKEN", "another category has this slug")`.
    pub fn invalid(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::unprocessable("INVALID", "the request has fields that are not acceptable").field(pointer, code, message)
    }

    /// 409 for one field, when another row has the value already.
    pub fn taken(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::conflict(code, message.clone()).field(pointer, code, message)
    }

    /// 429: too often. `retry_after` in seconds.
    #[must_use]
    pub fn too_many(retry_after: u32) -> Self {
        let detail = "too many requests; wait before the next one";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", detail).retry_after(retry_after)
    }

    /// 500: a bug. What happened is in the log under the request id, not in the answer.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "something went wrong on our side; the request id identifies it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", detail)
    }

    /// 503 with `Retry-After` in seconds.
    pub fn unavailable(code: &'static str, detail: impl Into<Cow<'static, str>>, retry_after: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(retry_after)
    }

    /// With a field that is wrong.
    #[must_use]
    pub fn field(
        mut self,
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldProblem { pointer: pointer.into(), code: code.into(), message: message.into() });
        self
    }

    /// With one more member, such as the state that refused: `.with("state", "CLOSED")`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }
}

impl From<platform::snowflake::Unleased> for Problem {
    fn from(error: platform::snowflake::Unleased) -> Self {
        tracing::warn!(%error, "no id could be made");
        Self::unavailable("UNAVAILABLE", "the service is not ready to write; try again", 2)
    }
}
