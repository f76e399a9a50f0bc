//! `GET /integrations/{integration_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, Path, Problem};

use super::{Integration, rows};
use crate::Commerce;

/// Read an integration, without its credential.
#[utoipa::path(
    get, path = "/integrations/{integration_id}", tag = "integrations", operation_id = "read_integration",
    params(("integration_id" = Id, Path, description = "The integration.")),
    responses((status = 200, description = "The integration; its `ETag` is for If-Match.", body = Integration)),
)]
pub(super) async fn read(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
) -> Result<Answer, Problem> {
    let scope = caller.may("integration", "read").await?;
    let found = rows::find(&commerce.pool, &scope, id.0).await?;
    let integration = found.ok_or_else(|| Problem::not_found("integration"))?;
    Ok(Answer::ok(&integration).etag(integration.version))
}
