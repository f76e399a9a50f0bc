//! `GET /media/{media_id}/content`

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use shell::{Caller, Id, Path, Problem};
use utoipa::ToSchema;

use super::range::{Part, part};
use super::{Media, rows};
use crate::Commerce;

/// The bytes of a picture.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "describes the answer in the document only")]
struct PictureBytes(Vec<u8>);

/// The bytes of a picture, or a range of them.
#[utoipa::path(
    get, path = "/media/{media_id}/content", tag = "media", operation_id = "download_media",
    params(
        ("media_id" = Id, Path, description = "The picture."),
        ("Range" = Option<String>, Header, description = "One range: `bytes=0-1023`."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` that the caller has."),
    ),
    responses(
        (status = 200, description = "All of it.", body = PictureBytes, content_type = "image/*"),
        (status = 206, description = "The range.", body = PictureBytes, content_type = "image/*"),
        (status = 304, description = "The caller has it."),
        (status = 416, description = "The range begins beyond its end; `Content-Range` says how long it is."),
    ),
)]
pub(super) async fn download(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let scope = caller.may("media", "read").await?;
    let media = rows::find(&commerce.pool, &scope, id.0).await?.ok_or_else(|| Problem::not_found("media"))?;
    let etag = format!("\"{}\"", media.sha256);
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|tags| has(tags, &etag)) {
        return Ok(headed(&media, &etag, StatusCode::NOT_MODIFIED, Body::empty()));
    }
    let size = u64::try_from(media.size).unwrap_or_default();
    // A range of what the caller has another version of would be of no use to it (RFC 9110 section 13.1.5).
    let current = text(header::IF_RANGE).is_none_or(|tag| tag == etag);
    let (status, range) = match part(text(header::RANGE).filter(|_| current), size) {
        Part::Whole => (StatusCode::OK, 0..size),
        Part::Bytes(range) => (StatusCode::PARTIAL_CONTENT, range),
        Part::Unsatisfiable => return Err(unsatisfiable(size)),
    };
    let stream = commerce.store.get(&media.object_key, range.clone()).await?;
    let mut response = headed(&media, &etag, status, Body::from_stream(stream));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    if status == StatusCode::PARTIAL_CONTENT {
        let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        set(&mut response, header::CONTENT_RANGE, &value);
    }
    Ok(response)
}

fn headed(media: &Media, etag: &str, status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    // The caller's own picture, never another site's: not shared by caches, not taken for anything but what it is.
    for (name, value) in [
        (header::CONTENT_TYPE, media.content_type.as_str()),
        (header::ETAG, etag),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_DISPOSITION, &disposition(&media.file_name)),
    ] {
        set(&mut response, name, value);
    }
    response
}

fn set(response: &mut Response<Body>, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

/// With the name as RFC 6266 and RFC 8187 write one that is not ASCII.
fn disposition(name: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let encoded: String = name.bytes().map(encode).collect();
    format!("inline; filename*=UTF-8''{encoded}")
}

/// Whether a list of tags has this one. A comparison of `If-None-Match` is weak.
fn has(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn unsatisfiable(size: u64) -> Problem {
    let problem =
        Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_NOT_SATISFIABLE", "the range begins beyond the end");
    match HeaderValue::try_from(format!("bytes */{size}")) {
        Ok(value) => problem.header(header::CONTENT_RANGE, value),
        Err(_) => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_vietnamese_fits_a_header() {
        assert_eq!(disposition("phở.jpg"), "inline; filename*=UTF-8''ph%E1%BB%9F.jpg");
    }

    #[test]
    fn tags_are_compared_weakly() {
        assert!(has("\"a\", W/\"b\"", "\"b\"") && has("*", "\"b\"") && !has("\"a\"", "\"b\""));
    }
}
