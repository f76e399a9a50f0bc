//! `GET /products/{product_id}`

use axum::extract::State;
use shell::{Answer, Caller, Id, Path, Problem};

use super::{Product, rows};
use crate::Commerce;

/// Read a product with its variants.
#[utoipa::path(
    get, path = "/products/{product_id}", tag = "products", operation_id = "read_product",
    params(("product_id" = Id, Path, description = "The product.")),
    responses((status = 200, description = "The product; its `ETag` is for If-Match.", body = Product)),
)]
pub(super) async fn read(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
) -> Result<Answer, Problem> {
    let scope = caller.may("product", "read").await?;
    let product = rows::find(&commerce.pool, &scope, id.0).await?.ok_or_else(|| Problem::not_found("product"))?;
    Ok(Answer::ok(&product).etag(product.version))
}
