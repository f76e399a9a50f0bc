//! `DELETE /media/{media_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem};

use super::rows;
use crate::Commerce;
use crate::deletion::{Dependent, Removed, refuse_in_use};

/// Delete a picture. Refused while a product shows it.
#[utoipa::path(
    delete, path = "/media/{media_id}", tag = "media", operation_id = "delete_media",
    params(("media_id" = Id, Path, description = "The picture."), IfMatchHeader),
    responses((status = 200, description = "What was done.", body = Removed)),
)]
pub(super) async fn delete(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    let scope = caller.may("media", "delete").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let media = locked.ok_or_else(|| Problem::not_found("media"))?;
            if_match.check(media.version)?;
            let (count, ids) = rows::products_with(&mut **transaction, media.merchant_id, id).await?;
            refuse_in_use("media", vec![Dependent::of("product", count, ids)])?;
            rows::set_deleted(&mut **transaction, id.0, true).await?;
            Ok(Answer::ok(&Removed::deleted(0)))
        })
    })
    .await
}
