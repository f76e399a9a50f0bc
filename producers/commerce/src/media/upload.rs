//! `POST /media`

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use shell::request::log_merchant;
use shell::{Answer, Caller, Id, IdempotencyHeader, IdempotencyKey, Problem, Query};
use utoipa::{IntoParams, ToSchema};

use super::{GREATEST, Media, image, rows};
use crate::{Commerce, merchant};

/// Whose picture it will be. In the query, so that it is decided before the bytes are taken.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadParams {
    /// The merchant.
    pub merchant_id: Id,
}

/// The form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the form in the document only")]
pub(super) struct UploadForm {
    /// A picture: JPEG, PNG, WebP or GIF, up to 10 MiB. What it is, is seen from its bytes.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// What was sent.
struct File {
    name: String,
    bytes: Bytes,
}

/// Upload a picture.
#[utoipa::path(
    post, path = "/media", tag = "media", operation_id = "upload_media", params(UploadParams, IdempotencyHeader),
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "Stored.", body = Media)),
)]
pub(super) async fn upload(
    caller: Caller,
    State(commerce): State<Commerce>,
    Query(UploadParams { merchant_id }): Query<UploadParams>,
    key: IdempotencyKey,
    request: Request,
) -> Result<Answer, Problem> {
    let scope = caller.may("media", "create").await?;
    log_merchant(merchant_id.0);
    merchant::require_visible(&commerce.pool, &scope, merchant_id.0).await?;
    let file = read(request).await?;
    let content_type = image::content_type(&file.bytes).ok_or_else(not_a_picture)?;
    let id = commerce.snowflake.next_id()?;
    let object_key = format!("merchant/{merchant_id}/media/{id}");
    commerce.store.put(&object_key, file.bytes.clone()).await?;
    // The object is there before the row that points at it, and goes again when no row came to point at it: after a
    // replay, a refusal, or a failure.
    let stored = Arc::new(AtomicBool::new(false));
    let (commerce, mark) = (commerce.clone(), stored.clone());
    shell::uninterrupted(async move {
        let kept = (commerce.store.clone(), object_key.clone());
        let digest = Sha256::digest(&file.bytes);
        let pool = commerce.pool.clone();
        let answer = key.with_body(&digest).once(&pool, move |transaction| {
            Box::pin(async move {
                merchant::require_visible(&mut **transaction, &scope, merchant_id.0).await?;
                let new = rows::New {
                    id,
                    merchant_id: merchant_id.0,
                    object_key: &object_key,
                    file_name: &file.name,
                    content_type,
                    size: i64::try_from(file.bytes.len()).unwrap_or(i64::MAX),
                    sha256: &digest,
                    created_by: caller.id,
                };
                let media = rows::insert(&mut **transaction, &new).await?;
                mark.store(true, Ordering::SeqCst);
                let location = crate::path(format_args!("media/{id}"));
                Ok(Answer::created(&media).etag(media.version).location(location))
            })
        });
        let answer = answer.await;
        if answer.is_err() || !stored.load(Ordering::SeqCst) {
            kept.0.forget(&kept.1).await;
        }
        answer
    })
    .await
}

/// Reads the part `file` of the form.
async fn read(request: Request) -> Result<File, Problem> {
    let mut form = Multipart::from_request(request, &()).await.map_err(|rejection| {
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", rejection.body_text())
    })?;
    let field = form.next_field().await.map_err(|error| broken(&error))?;
    let Some(field) = field.filter(|field| field.name() == Some("file")) else {
        return Err(Problem::invalid("/file", "REQUIRED", "the form begins with the part `file`"));
    };
    let name = clean(field.file_name().unwrap_or_default());
    let bytes = field.bytes().await.map_err(|error| broken(&error))?;
    if bytes.len() > GREATEST { Err(too_large()) } else { Ok(File { name, bytes }) }
}

fn broken(error: &MultipartError) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Problem::malformed("MALFORMED_FORM", "the body is not a multipart form, or ended early"),
    }
}

fn too_large() -> Problem {
    let detail = format!("a picture may have at most {GREATEST} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", detail).with("limit", GREATEST)
}

fn not_a_picture() -> Problem {
    let detail = "the file is no JPEG, PNG, WebP or GIF; its bytes decide, not its name";
    Problem::unprocessable("INVALID", detail).field("/file", "NOT_AN_IMAGE", detail)
}

/// The last part of a file's name, without what could hurt a header.
fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|letter| !letter.is_control() && *letter != '"').take(200).collect();
    if plain.trim().is_empty() { "image".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_file_name_is_its_last_part_without_control_characters() {
        assert_eq!(clean("C:\\ảnh\\phở bò.jpg"), "phở bò.jpg");
        assert_eq!(clean("../../etc/passwd"), "passwd");
        assert_eq!(clean("a\r\nSet-Cookie: \"x\".png"), "aSet-Cookie: x.png");
        assert_eq!(clean(""), "image");
    }
}
