//! The bytes of a body, up to a limit.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::problem::Problem;

/// The greatest body that a route reads, in bytes. The server sets it for all; a route with another one adds
/// `.layer(axum::Extension(BodyLimit(..)))`.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1 << 20)
    }
}

/// A body beyond the limit is read on to this length and thrown away, because a client that is still sending would see
/// a broken connection instead of the answer.
const SWALLOWED: usize = 32 << 20;

/// Reads the whole body.
///
/// # Errors
/// 413 beyond the route's [`BodyLimit`]; 400 when the client stops in the middle.
pub(crate) async fn read_body(request: Request) -> Result<Bytes, Problem> {
    let BodyLimit(limit) = request.extensions().get().copied().unwrap_or_default();
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > SWALLOWED) {
        return Err(too_large(limit));
    }
    let mut body: Body = request.into_body();
    let (mut bytes, mut read) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "the body ended early");
            Problem::malformed("BODY_INCOMPLETE", "the body ended before its announced length")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        read += data.len();
        if read <= limit {
            bytes.extend_from_slice(&data);
        } else if read > SWALLOWED {
            break;
        }
    }
    if read > limit { Err(too_large(limit)) } else { Ok(bytes.freeze()) }
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body may have at most {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", detail).with("limit", limit)
}

/// # Errors
/// 415 unless the body is announced as JSON.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let announced = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = announced.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let detail = "send the body as application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail))
}
