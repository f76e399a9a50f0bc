//! `POST /categories`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, IdempotencyHeader, Once, Problem};
use utoipa::ToSchema;

use super::{Category, check, rows, tree};
use crate::slug::slug_of;
use crate::{Commerce, merchant};

/// A category to create.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateCategory {
    /// Whose it will be.
    pub merchant_id: Id,
    /// The category that it will be in; at the top when absent.
    pub parent_id: Option<Id>,
    /// As customers see it.
    #[schema(example = "Món nước", min_length = 1, max_length = 200)]
    pub name: String,
    /// Unique in the merchant; made from the name when absent.
    #[schema(example = "mon-nuoc")]
    pub slug: Option<String>,
    /// Where it stands among those of the same parent; 0 when absent.
    #[serde(default)]
    pub position: i32,
}

/// Create a category.
#[utoipa::path(
    post, path = "/categories", tag = "categories", operation_id = "create_category",
    params(IdempotencyHeader), request_body = CreateCategory,
    responses((status = 201, description = "Created.", body = Category)),
)]
pub(super) async fn create(
    caller: Caller,
    State(commerce): State<Commerce>,
    once: Once<CreateCategory>,
) -> Result<Answer, Problem> {
    let scope = caller.may("category", "create").await?;
    let (id, body) = (commerce.snowflake.next_id()?, once.body);
    let slug = body.slug.clone().or_else(|| slug_of(&body.name)).unwrap_or_else(|| format!("c-{id}"));
    check(&body.name, &slug)?;
    once.key
        .once(&commerce.pool, move |transaction| {
            Box::pin(async move {
                let merchant_id = body.merchant_id.0;
                let new = rows::New {
                    id,
                    merchant_id,
                    parent_id: body.parent_id.map(|parent| parent.0),
                    name: body.name.trim(),
                    slug: &slug,
                    slug_is_made: body.slug.is_none(),
                    position: body.position,
                    created_by: caller.id,
                };
                // The merchant first: nothing is said of a parent to who may not see it.
                merchant::require_visible(&mut **transaction, &scope, merchant_id).await?;
                if let Some(parent) = new.parent_id {
                    tree::lock(&mut **transaction, merchant_id).await?;
                    tree::check_move(transaction, merchant_id, id, parent).await?;
                }
                let category = rows::insert(&mut **transaction, &new).await?;
                let location = crate::path(format_args!("categories/{id}"));
                Ok(Answer::created(&category).etag(category.version).location(location))
            })
        })
        .await
}
