//! `POST /integrations/{integration_id}/restore`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem};

use super::{Integration, rows};
use crate::Commerce;

/// Restore a deleted integration, with the credential that it had.
#[utoipa::path(
    post, path = "/integrations/{integration_id}/restore", tag = "integrations", operation_id = "restore_integration",
    params(("integration_id" = Id, Path, description = "The integration."), IfMatchHeader),
    responses((status = 200, description = "As it is now.", body = Integration)),
)]
pub(super) async fn restore(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    let scope = caller.may("integration", "restore").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, true).await?;
            let deleted = locked.ok_or_else(|| Problem::not_found("deleted integration"))?;
            if_match.check(deleted.version)?;
            let integration = rows::set_deleted(&mut **transaction, id.0, false).await?;
            Ok(Answer::ok(&integration).etag(integration.version))
        })
    })
    .await
}
