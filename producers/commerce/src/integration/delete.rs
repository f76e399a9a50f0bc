//! `DELETE /integrations/{integration_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Path, Problem};

use super::rows;
use crate::Commerce;
use crate::deletion::Removed;

/// Delete an integration. Nothing here depends on one.
#[utoipa::path(
    delete, path = "/integrations/{integration_id}", tag = "integrations", operation_id = "delete_integration",
    params(("integration_id" = Id, Path, description = "The integration."), IfMatchHeader),
    responses((status = 200, description = "What was done.", body = Removed)),
)]
pub(super) async fn delete(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
) -> Result<Answer, Problem> {
    let scope = caller.may("integration", "delete").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let integration = locked.ok_or_else(|| Problem::not_found("integration"))?;
            if_match.check(integration.version)?;
            rows::set_deleted(&mut **transaction, id.0, true).await?;
            Ok(Answer::ok(&Removed::deleted(0)))
        })
    })
    .await
}
