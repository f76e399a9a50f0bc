//! `GET /products`

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, Items, Page, PageParams, Problem, Query};
use utoipa::IntoParams;

use super::{Product, ProductKind, ProductStatus, rows};
use crate::Commerce;
use crate::list::Sort;

/// Which products.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of this merchant.
    pub merchant_id: Option<Id>,
    /// Directly in this category.
    pub category_id: Option<Id>,
    /// Of this kind.
    #[param(inline)]
    pub kind: Option<ProductKind>,
    /// Of this status.
    #[param(inline)]
    pub status: Option<ProductStatus>,
    /// With this slug.
    pub slug: Option<String>,
    /// Whose name begins so, in capitals or not.
    pub name: Option<String>,
    /// With a variant of this sku.
    pub sku: Option<String>,
    /// With a variant of this barcode.
    pub barcode: Option<String>,
    /// Deleted ones instead.
    pub deleted: Option<bool>,
    /// The order; newest first when absent.
    #[param(inline)]
    pub sort: Option<Sort>,
}

/// List products with their variants.
#[utoipa::path(
    get, path = "/products", tag = "products", operation_id = "list_products", params(Filter, PageParams),
    responses((status = 200, description = "A page.", body = Items<Product>)),
)]
pub(super) async fn list(
    caller: Caller,
    State(commerce): State<Commerce>,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Answer, Problem> {
    let scope = caller.may("product", "read").await?;
    let products = rows::list(&commerce.pool, &scope, &filter, &page).await?;
    let sort = filter.sort.unwrap_or_default();
    let key = |product: &Product| sort.key(product.id.0, &product.name, product.updated_at);
    Ok(Answer::ok(&page.answer(products, key, |product| product)))
}
