//! `POST /media/{media_id}/restore`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem};

use super::{Media, rows};
use crate::Commerce;

/// Restore a deleted picture.
#[utoipa::path(
    post, path = "/media/{media_id}/restore", tag = "media", operation_id = "restore_media",
    params(("media_id" = Id, Path, description = "The picture."), IfMatchHeader),
    responses((status = 200, description = "As it is now.", body = Media)),
)]
pub(super) async fn restore(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    let scope = caller.may("media", "restore").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, true).await?;
            let deleted = locked.ok_or_else(|| Problem::not_found("deleted media"))?;
            if_match.check(deleted.version)?;
            let media = rows::set_deleted(&mut **transaction, id.0, false).await?;
            Ok(Answer::ok(&media).etag(media.version))
        })
    })
    .await
}
