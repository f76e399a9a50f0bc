//! The key of a request, and what it stands for.

use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::fingerprint::{canonical, digest};
use crate::caller::Caller;
use crate::json;
use crate::problem::Problem;

const NAME: &str = "idempotency-key";

/// The header that a request that creates must carry. For `params(..)` of an endpoint that takes [`Once`] or
/// [`IdempotencyKey`].
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyHeader {
    /// A text of your choice, new for every thing to create (a UUID is good); the same when the request is repeated.
    #[param(rename = "Idempotency-Key", required = true, value_type = String, min_length = 1, max_length = 255, pattern = "^[!-~]{1,255}$")]
    pub idempotency_key: String,
}

/// The key of one request. Its scope is the caller, the route and the text; its fingerprint is the path and the body.
/// As an extractor it answers 401 without a caller, 400 without a key, and knows nothing of the body: for an endpoint
/// whose body is not JSON, which adds [`IdempotencyKey::with_body`]. With JSON use [`Once`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub(super) scope: [u8; 32],
    pub(super) fingerprint: [u8; 32],
    pub(super) service: &'static str,
}

impl IdempotencyKey {
    fn of(parts: &Parts, caller: &Caller) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(NAME).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::malformed(
                "IDEMPOTENCY_KEY_REQUIRED",
                "send one Idempotency-Key header with a text of your choice, so that the request can be repeated safely",
            ));
        };
        let key = value.as_bytes();
        if key.is_empty() || key.len() > 255 || !key.iter().all(u8::is_ascii_graphic) {
            let detail = "the Idempotency-Key must be 1 to 255 visible ASCII characters";
            return Err(Problem::malformed("IDEMPOTENCY_KEY_MALFORMED", detail));
        }
        let path = parts.uri.path();
        let route = parts.extensions.get::<MatchedPath>().map_or(path, MatchedPath::as_str);
        let scope =
            digest(&[caller.id.to_string().as_bytes(), parts.method.as_str().as_bytes(), route.as_bytes(), key]);
        Ok(Self { scope, fingerprint: digest(&[path.as_bytes()]), service: caller.service().name })
    }

    /// The key of a request with these bytes for a body: a second one with others answers 422.
    #[must_use]
    pub fn with_body(mut self, body: &[u8]) -> Self {
        self.fingerprint = digest(&[&self.fingerprint, &canonical(body)]);
        self
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Self::of(parts, &caller)
    }
}

/// A JSON body with its idempotency key. Answers 401, then 400 (no key), then what [`crate::Json`] answers.
#[derive(Debug, Clone)]
pub struct Once<T> {
    /// The key, for [`IdempotencyKey::once`].
    pub key: IdempotencyKey,
    /// The body.
    pub body: T,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Once<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let key = IdempotencyKey::from_request_parts(&mut parts, state).await?;
        json::require_json(&parts.headers)?;
        let bytes = json::read_body(Request::from_parts(parts, body)).await?;
        let body = json::parse(&bytes)?;
        Ok(Self { key: key.with_body(&bytes), body })
    }
}
