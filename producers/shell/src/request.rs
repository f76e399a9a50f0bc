//! What is known of a request while it runs: its id, which is accepted, made, returned and logged.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use platform::random::SharedRandom;

use crate::problem::Problem;

/// The header of the request's id, both ways.
pub const REQUEST_ID: &str = "x-request-id";

/// The id of a request: the caller's `X-Request-Id` when it is sane (1 to 128 of letters, digits and `-_.:`), else a new
/// one. An extractor, for event rows that carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The trace that a request belongs to: 32 hexadecimal digits of its `traceparent` (W3C Trace Context), or new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceId(pub String);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap, random: &SharedRandom) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| is_sane(id));
        Self(given.map_or_else(|| new_id(random), str::to_owned))
    }
}

impl TraceId {
    pub(crate) fn of(headers: &HeaderMap, random: &SharedRandom) -> Self {
        let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
        let given = parent.and_then(|parent| parent.split('-').nth(1)).filter(|id| {
            id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && id.bytes().any(|byte| byte != b'0')
        });
        Self(given.map_or_else(|| new_id(random), str::to_ascii_lowercase))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// Puts the merchant that a request is about on every further log line of it.
pub fn log_merchant(merchant: i64) {
    tracing::Span::current().record("merchantId", merchant);
}

fn is_sane(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

fn new_id(random: &SharedRandom) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use platform::random::SystemRandom;

    use super::*;

    fn request_id(given: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, given.parse().unwrap());
        RequestId::of(&headers, &SystemRandom::shared()).0
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(request_id("till-7:2026.11_x"), "till-7:2026.11_x");
        for insane in ["", "a b", "a\"b", &"x".repeat(129)] {
            let replaced = request_id(insane);
            assert!(replaced != insane && replaced.len() == 32);
        }
    }

    #[test]
    fn the_trace_is_taken_from_traceparent() {
        let mut headers = HeaderMap::new();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        headers.insert("traceparent", format!("00-{trace}-00f067aa0ba902b7-01").parse().unwrap());
        assert_eq!(TraceId::of(&headers, &SystemRandom::shared()).0, trace);
        headers.insert("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01".parse().unwrap());
        assert_ne!(TraceId::of(&headers, &SystemRandom::shared()).0, "0".repeat(32));
    }
}
