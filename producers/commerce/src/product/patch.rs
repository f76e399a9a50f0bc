//! `PATCH /products/{product_id}`

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Deserialize;
use shell::{Answer, Caller, Id, IfMatch, IfMatchHeader, Json, Path, Problem};
use utoipa::ToSchema;

use super::draft::Draft;
use super::replace::save;
use super::{IndustryGroup, Product, ProductKind, ProductStatus, Variant, VatClass, rows};
use crate::Commerce;
use crate::value::Change;

/// The fields to change; those that are absent stay. Variants are added and removed by replacing the product.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchProduct {
    /// The category that it is in; null for none.
    #[serde(default)]
    #[schema(value_type = Option<Id>)]
    category_id: Change<Id>,
    /// Its picture; null for none.
    #[serde(default)]
    #[schema(value_type = Option<Id>)]
    image_id: Change<Id>,
    /// Where it is sold.
    kind: Option<ProductKind>,
    /// As customers see it.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Unique in the merchant. Does not follow the name by itself.
    #[schema(max_length = 120, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$")]
    slug: Option<String>,
    /// What there is to say of it.
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// Whether it is for sale.
    status: Option<ProductStatus>,
    /// The group that its revenue is declared in.
    industry_group: Option<IndustryGroup>,
    /// What decides its VAT rate.
    vat_class: Option<VatClass>,
    /// Changes of variants that it has.
    #[serde(default)]
    #[schema(max_items = 100)]
    variants: Vec<PatchVariant>,
}

/// The fields of one variant to change; those that are absent stay.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PatchVariant {
    /// Which variant.
    id: Id,
    /// The merchant's own number for it.
    #[schema(min_length = 1, max_length = 64)]
    sku: Option<String>,
    /// What a scanner reads; null for nothing.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    barcode: Change<String>,
    /// What sets it apart.
    #[schema(max_length = 200)]
    name: Option<String>,
    /// What it is counted in.
    #[schema(min_length = 1, max_length = 50)]
    unit: Option<String>,
    /// Whole dong.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    price: Option<i64>,
    /// What it costs the merchant; null for unknown.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    cost: Change<i64>,
    /// All of its properties.
    attributes: Option<BTreeMap<String, String>>,
    /// `true` makes it the default instead of the one that was.
    is_default: Option<bool>,
}

impl PatchProduct {
    fn apply(self, draft: &mut Draft) -> Result<(), Problem> {
        draft.category_id = self.category_id.over(draft.category_id.map(Id)).map(|id| id.0);
        draft.image_id = self.image_id.over(draft.image_id.map(Id)).map(|id| id.0);
        if let Some(name) = self.name {
            name.trim().clone_into(&mut draft.name);
        }
        draft.kind = self.kind.unwrap_or(draft.kind);
        draft.status = self.status.unwrap_or(draft.status);
        draft.industry_group = self.industry_group.unwrap_or(draft.industry_group);
        draft.vat_class = self.vat_class.unwrap_or(draft.vat_class);
        draft.slug = self.slug.unwrap_or_else(|| std::mem::take(&mut draft.slug));
        draft.description = self.description.unwrap_or_else(|| std::mem::take(&mut draft.description));
        for (index, patch) in self.variants.into_iter().enumerate() {
            patch.apply(index, &mut draft.variants)?;
        }
        Ok(())
    }
}

impl PatchVariant {
    fn apply(self, index: usize, variants: &mut [Variant]) -> Result<(), Problem> {
        if self.is_default == Some(true) {
            for variant in &mut *variants {
                variant.is_default = false;
            }
        }
        let variant = variants.iter_mut().find(|variant| variant.id == self.id).ok_or_else(|| {
            Problem::invalid(format!("/variants/{index}/id"), "VARIANT_NOT_FOUND", "the product has no such variant")
        })?;
        if self.is_default == Some(false) && variant.is_default {
            let message = "say which variant is the default instead";
            return Err(Problem::invalid(format!("/variants/{index}/is_default"), "DEFAULT", message));
        }
        variant.is_default = self.is_default.unwrap_or(variant.is_default);
        variant.sku = self.sku.unwrap_or_else(|| std::mem::take(&mut variant.sku));
        variant.barcode = self.barcode.over(variant.barcode.take());
        variant.name = self.name.unwrap_or_else(|| std::mem::take(&mut variant.name));
        variant.unit = self.unit.unwrap_or_else(|| std::mem::take(&mut variant.unit));
        variant.price = self.price.unwrap_or(variant.price);
        variant.cost = self.cost.over(variant.cost);
        variant.attributes = self.attributes.unwrap_or_else(|| std::mem::take(&mut variant.attributes));
        Ok(())
    }
}

/// Change fields of a product or of its variants.
#[utoipa::path(
    patch, path = "/products/{product_id}", tag = "products", operation_id = "patch_product",
    params(("product_id" = Id, Path, description = "The product."), IfMatchHeader), request_body = PatchProduct,
    responses((status = 200, description = "As it is now.", body = Product)),
)]
pub(super) async fn patch(
    caller: Caller,
    State(commerce): State<Commerce>,
    Path(id): Path<Id>,
    if_match: IfMatch,
    Json(patch): Json<PatchProduct>,
) -> Result<Answer, Problem> {
    let scope = caller.may("product", "update").await?;
    shell::write(&commerce.pool, move |transaction| {
        Box::pin(async move {
            let locked = rows::lock(&mut **transaction, &scope, id.0, false).await?;
            let current = locked.ok_or_else(|| Problem::not_found("product"))?;
            if_match.check(current.version)?;
            let mut draft = Draft::of(current.clone());
            patch.apply(&mut draft)?;
            draft.check()?;
            let product = save(transaction, &current, caller.id, &draft).await?;
            Ok(Answer::ok(&product).etag(product.version))
        })
    })
    .await
}
