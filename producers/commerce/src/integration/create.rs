//! `POST /integrations`

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use shell::{Answer, Caller, Id, IdempotencyHeader, Once, Problem};
use utoipa::ToSchema;

use super::{Integration, IntegrationStatus, ProviderGroup, check, credential::Credential, rows};
use crate::{Commerce, merchant};

/// An integration to create.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateIntegration {
    /// Whose it will be.
    pub merchant_id: Id,
    /// What the provider is for.
    pub group: ProviderGroup,
    /// The provider. Unique in the merchant and the group.
    #[schema(example = "sepay", pattern = "^[a-z0-9_-]{1,50}$")]
    pub code: String,
    /// A name for people.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub name: String,
    /// `ACTIVE` when absent.
    pub status: Option<IntegrationStatus>,
    /// What is not secret.
    #[serde(default = "nothing")]
    #[schema(value_type = Object)]
    pub settings: Value,
    /// What is secret. It is sealed, and only its mask is shown afterwards.
    pub credential: Credential,
}

fn nothing() -> Value {
    json!({})
}

/// Create an integration.
#[utoipa::path(
    post, path = "/integrations", tag = "integrations", operation_id = "create_integration",
    params(IdempotencyHeader), request_body = CreateIntegration,
    responses((status = 201, description = "Created; the credential is masked.", body = Integration)),
)]
pub(super) async fn create(
    caller: Caller,
    State(commerce): State<Commerce>,
    once: Once<CreateIntegration>,
) -> Result<Answer, Problem> {
    let scope = caller.may("integration", "create").await?;
    let (id, body) = (commerce.snowflake.next_id()?, once.body);
    check(&body.code, &body.name, &body.settings)?;
    body.credential.check()?;
    let sealed = body.credential.seal(&commerce.keyring, id);
    once.key
        .once(&commerce.pool, move |transaction| {
            Box::pin(async move {
                merchant::require_visible(&mut **transaction, &scope, body.merchant_id.0).await?;
                let new = rows::New {
                    id,
                    merchant_id: body.merchant_id.0,
                    group: body.group,
                    code: &body.code,
                    name: &body.name,
                    status: body.status.unwrap_or(IntegrationStatus::Active),
                    settings: &body.settings,
                    sealed: &sealed,
                    created_by: caller.id,
                };
                let integration = rows::insert(&mut **transaction, &new).await?;
                let location = crate::path(format_args!("integrations/{id}"));
                Ok(Answer::created(&integration).etag(integration.version).location(location))
            })
        })
        .await
}
