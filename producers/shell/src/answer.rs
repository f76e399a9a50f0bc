//! A success, as bytes: what is stored under an idempotency key is exactly what was sent.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use crate::etag::ETag;

/// A success with a JSON body (or none), and perhaps an `ETag` and a `Location`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: &impl Serialize) -> Self {
        Self::with_status(StatusCode::OK, body)
    }

    /// 201 with this body; add where it is with [`Answer::location`].
    pub fn created(body: &impl Serialize) -> Self {
        Self::with_status(StatusCode::CREATED, body)
    }

    /// 202 with this body.
    pub fn accepted(body: &impl Serialize) -> Self {
        Self::with_status(StatusCode::ACCEPTED, body)
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, etag: None, location: None, body: Bytes::new() }
    }

    fn with_status(status: StatusCode, body: &impl Serialize) -> Self {
        #[expect(clippy::expect_used, reason = "only maps with keys that are not texts fail, which no answer has")]
        let body = serde_json::to_vec(body).expect("an answer is JSON");
        Self { status, etag: None, location: None, body: body.into() }
    }

    /// With the aggregate's version as its strong `ETag`.
    #[must_use]
    pub fn etag(mut self, version: i64) -> Self {
        self.etag = Some(ETag(version).to_string());
        self
    }

    /// With where the new thing is, as a path from the host's root.
    #[must_use]
    pub fn location(mut self, path: impl Into<String>) -> Self {
        self.location = Some(path.into());
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !self.body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        for (name, value) in [(header::ETAG, self.etag), (header::LOCATION, self.location)] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}
