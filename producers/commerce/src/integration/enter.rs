//! `PUT /integrations/{integration_id}/credential`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Json, Path, Problem};
use utoipa::ToSchema;

use super::{Integration, credential::Credential, rows};
use crate::Commerce;

/// A credential to put in the place of the one before.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnterCredential {
    /// All of its fields.
    credential: Credential,
}

/// Enter a credential again. A wrong one is replaced, never shown.
#[utoipa::path(
    put, path = "/integrations/{integration_id}/credential", tag = "integrations", operation_id = "enter_credential",
    params(("integration_id" = Id, Path, description = "The integration."), IfMatchHeader),
    request_body = EnterCredential,
    responses((status = 200, description = "As it is now; the credential is masked.", body = Integration)),
)]
pub(super) async fn enter(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(body): Json<EnterCredential>,
) -> Result<Answer, Problem> {
    let scope = caller.may("integration", "update").await?;
    body.credential.check()?;
    let sealed = body.credential.seal(&commerce.keyring, id.0);
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let current = locked.ok_or_else(|| Problem::not_found("integration"))?;
            if_match.check(current.version)?;
            let integration = rows::enter(&mut **transaction, id.0, &sealed).await?;
            Ok(Answer::ok(&integration).etag(integration.version))
        })
    })
    .await
}
