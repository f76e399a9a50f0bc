//! `PATCH /categories/{category_id}`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Json, Path, Problem};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{Category, check, rows, tree};
use crate::Commerce;
use crate::value::Change;

/// The fields to change; those that are absent stay.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchCategory {
    /// Moves it, with what is below it, into this category; null moves it to the top.
    #[serde(default)]
    #[schema(value_type = Option<Id>)]
    parent_id: Change<Id>,
    /// As customers see it.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Unique in the merchant. Does not follow the name by itself.
    slug: Option<String>,
    /// Where it stands among those of the same parent.
    position: Option<i32>,
}

/// Change fields of a category, or move it.
#[utoipa::path(
    patch, path = "/categories/{category_id}", tag = "categories", operation_id = "patch_category",
    params(("category_id" = Id, Path, description = "The category."), IfMatchHeader), request_body = PatchCategory,
    responses((status = 200, description = "As it is now.", body = Category)),
)]
pub(super) async fn patch(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(patch): Json<PatchCategory>,
) -> Result<Answer, Problem> {
    let scope = caller.may("category", "update").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            if matches!(patch.parent_id, Change::Set(Some(_))) {
                tree::lock_around(&mut **transaction, id.0).await?;
            }
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let mut category = locked.ok_or_else(|| Problem::not_found("category"))?;
            if_match.check(category.version)?;
            apply(transaction, &mut category, patch).await?;
            let category = rows::update(&mut **transaction, &category).await?;
            Ok(Answer::ok(&category).etag(category.version))
        })
    })
    .await
}

async fn apply(connection: &mut PgConnection, category: &mut Category, patch: PatchCategory) -> Result<(), Problem> {
    let parent_id = patch.parent_id.over(category.parent_id);
    if let Some(parent) = parent_id.filter(|parent| category.parent_id != Some(*parent)) {
        tree::check_move(connection, category.merchant_id.0, category.id.0, parent.0).await?;
    }
    category.parent_id = parent_id;
    if let Some(name) = patch.name {
        name.trim().clone_into(&mut category.name);
    }
    if let Some(slug) = patch.slug {
        category.slug = slug;
    }
    category.position = patch.position.unwrap_or(category.position);
    check(&category.name, &category.slug)
}
