//! `GET /categories/{category_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, Path, Problem};

use super::{Category, rows};
use crate::Commerce;

/// Read a category.
#[utoipa::path(
    get, path = "/categories/{category_id}", tag = "categories", operation_id = "read_category",
    params(("category_id" = Id, Path, description = "The category.")),
    responses((status = 200, description = "The category; its `ETag` is for If-Match.", body = Category)),
)]
pub(super) async fn read(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
) -> Result<Answer, Problem> {
    let scope = caller.may("category", "read").await?;
    let category = rows::find(&commerce.pool, &scope, id.0).await?.ok_or_else(|| Problem::not_found("category"))?;
    Ok(Answer::ok(&category).etag(category.version))
}
