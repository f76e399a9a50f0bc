//! `PUT /products/{product_id}`

use std::collections::HashSet;

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Json, Path, Problem};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::conflict::refused;
use super::draft::{self, Draft, VariantInput};
use super::{IndustryGroup, Product, ProductKind, ProductStatus, VatClass, rows, write};
use crate::Commerce;
use crate::slug::slug_of;

/// All of a product: what is absent here is so afterwards. Variants with an `id` stay, those without are added, those
/// that are not named are deleted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplaceProduct {
    /// The category that it is in.
    pub category_id: Option<Id>,
    /// Its picture, one of the merchant's media.
    pub image_id: Option<Id>,
    /// Where it is sold.
    pub kind: ProductKind,
    /// As customers see it.
    #[schema(example = "Phở bò tái", min_length = 1, max_length = 200)]
    pub name: String,
    /// Unique in the merchant; made from the name when absent.
    #[schema(example = "pho-bo-tai", max_length = 120, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    pub slug: Option<String>,
    /// What there is to say of it.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    pub description: String,
    /// `ACTIVE` when absent.
    pub status: Option<ProductStatus>,
    /// What is usual for the kind when absent.
    pub industry_group: Option<IndustryGroup>,
    /// `STANDARD` when absent.
    pub vat_class: Option<VatClass>,
    /// In the order in which they are shown.
    #[schema(min_items = 1, max_items = 100)]
    pub variants: Vec<VariantInput>,
}

impl ReplaceProduct {
    fn draft(self, id: i64, commerce: &Commerce) -> Result<Draft, Problem> {
        let made = || slug_of(&self.name).unwrap_or_else(|| format!("p-{id}"));
        Ok(Draft {
            category_id: self.category_id.map(|id| id.0),
            image_id: self.image_id.map(|id| id.0),
            kind: self.kind,
            slug_is_made: self.slug.is_none(),
            slug: self.slug.clone().unwrap_or_else(made),
            name: self.name.trim().to_owned(),
            description: self.description,
            status: self.status.unwrap_or(ProductStatus::Active),
            industry_group: self.industry_group.unwrap_or_else(|| self.kind.usual_group()),
            vat_class: self.vat_class.unwrap_or(VatClass::Standard),
            variants: draft::variants(self.variants, || Ok(commerce.snowflake.next_id()?))?,
        })
    }
}

/// Replace a product, its variants and prices, in one transaction.
#[utoipa::path(
    put, path = "/products/{product_id}", tag = "products", operation_id = "replace_product",
    params(("product_id" = Id, Path, description = "The product."), IfMatchHeader), request_body = ReplaceProduct,
    responses((status = 200, description = "As it is now.", body = Product)),
)]
pub(super) async fn replace(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(body): Json<ReplaceProduct>,
) -> Result<Answer, Problem> {
    let scope = caller.may("product", "update").await?;
    let named: Vec<_> = body.variants.iter().map(|variant| variant.id).collect();
    let draft = body.draft(id.0, &commerce)?;
    draft.check()?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let current = locked.ok_or_else(|| Problem::not_found("product"))?;
            if_match.check(current.version)?;
            check_known(&named, &current)?;
            let product = save(transaction, &current, caller.id, &draft).await?;
            Ok(Answer::ok(&product).etag(product.version))
        })
    })
    .await
}

/// A variant that is named must be one of this product's, and only once.
fn check_known(named: &[Option<Id>], current: &Product) -> Result<(), Problem> {
    let mut left: HashSet<_> = current.variants.iter().map(|variant| variant.id).collect();
    let stranger = named.iter().position(|id| id.is_some_and(|id| !left.remove(&id)));
    stranger.map_or(Ok(()), |index| {
        let message = "the product has no such variant, or it is named twice";
        Err(Problem::invalid(format!("/variants/{index}/id"), "VARIANT_NOT_FOUND", message))
    })
}

/// Writes a checked draft over a locked product, and reads it again.
pub(super) async fn save(
    connection: &mut PgConnection,
    current: &Product,
    by: i64,
    draft: &Draft,
) -> Result<Product, Problem> {
    let id = current.id.0;
    let kept: Vec<_> = draft.variants.iter().map(|variant| variant.id.0).collect();
    let default = draft.variants.iter().find(|variant| variant.is_default).map_or(0, |variant| variant.id.0);
    let goes =
        |variant: &super::Variant| !kept.contains(&variant.id.0) || (variant.is_default && variant.id.0 != default);
    if current.variants.iter().any(goes) {
        write::prune(&mut *connection, id, &kept, default).await?;
    }
    let written = write::rewrite(&mut *connection, (id, current.merchant_id.0, by), draft).await;
    written.map_err(|error| refused(error, id, &draft.variants))?.slug()?;
    Ok(rows::reread(connection, id).await?)
}
