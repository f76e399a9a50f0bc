//! `PATCH /integrations/{integration_id}`

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Json, Path, Problem};
use utoipa::ToSchema;

use super::{Integration, IntegrationStatus, check, rows};
use crate::Commerce;

/// The fields to change; those that are absent stay.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchIntegration {
    /// A name for people.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// Whether it is used.
    status: Option<IntegrationStatus>,
    /// All that is not secret.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
}

/// Change what is not secret of an integration.
#[utoipa::path(
    patch, path = "/integrations/{integration_id}", tag = "integrations", operation_id = "patch_integration",
    params(("integration_id" = Id, Path, description = "The integration."), IfMatchHeader),
    request_body = PatchIntegration,
    responses((status = 200, description = "As it is now.", body = Integration)),
)]
pub(super) async fn patch(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(patch): Json<PatchIntegration>,
) -> Result<Answer, Problem> {
    let scope = caller.may("integration", "update").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let mut integration = locked.ok_or_else(|| Problem::not_found("integration"))?;
            if_match.check(integration.version)?;
            integration.name = patch.name.unwrap_or(integration.name);
            integration.status = patch.status.unwrap_or(integration.status);
            integration.settings = patch.settings.unwrap_or(integration.settings);
            check(&integration.code, &integration.name, &integration.settings)?;
            let integration = rows::update(&mut **transaction, &integration).await?;
            Ok(Answer::ok(&integration).etag(integration.version))
        })
    })
    .await
}
