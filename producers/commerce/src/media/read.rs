//! `GET /media/{media_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, Path, Problem};

use super::{Media, rows};
use crate::Commerce;

/// Read what is known of a picture.
#[utoipa::path(
    get, path = "/media/{media_id}", tag = "media", operation_id = "read_media",
    params(("media_id" = Id, Path, description = "The picture.")),
    responses((status = 200, description = "What is known; its `ETag` is for If-Match.", body = Media)),
)]
pub(super) async fn read(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
) -> Result<Answer, Problem> {
    let scope = caller.may("media", "read").await?;
    let media = rows::find(&commerce.pool, &scope, id.0).await?.ok_or_else(|| Problem::not_found("media"))?;
    Ok(Answer::ok(&media).etag(media.version))
}
