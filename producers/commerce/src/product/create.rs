//! `POST /products`

use axum::extract::State;
use serde::Deserialize;
use shell::request::log_merchant;
use shell::{Answer, Caller, Id, IdempotencyHeader, Once, Problem};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::conflict::{refused, unknown_category, unknown_image};
use super::draft::{self, Draft, VariantInput};
use super::write::{self, Written};
use super::{IndustryGroup, Product, ProductKind, ProductStatus, VatClass};
use crate::Commerce;
use crate::merchant;
use crate::slug::slug_of;

/// A product to create, with its variants.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateProduct {
    /// Whose it will be.
    pub merchant_id: Id,
    /// The category that it will be in.
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

impl CreateProduct {
    fn draft(self, id: i64, commerce: &Commerce) -> Result<Draft, Problem> {
        if let Some(index) = self.variants.iter().position(|variant| variant.id.is_some()) {
            let pointer = format!("/variants/{index}/id");
            return Err(Problem::invalid(
                pointer,
                "VARIANT_NOT_FOUND",
                "a new product has no variants yet; leave the id out",
            ));
        }
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

/// Create a product with its variants and prices, in one transaction.
#[utoipa::path(
    post, path = "/products", tag = "products", operation_id = "create_product",
    params(IdempotencyHeader), request_body = CreateProduct,
    responses((status = 201, description = "Created.", body = Product)),
)]
pub(super) async fn create(
    caller: Caller,
    State(commerce): State<Commerce>,
    once: Once<CreateProduct>,
) -> Result<Answer, Problem> {
    let scope = caller.may("product", "create").await?;
    let (id, merchant_id) = (commerce.snowflake.next_id()?, once.body.merchant_id.0);
    log_merchant(merchant_id);
    let draft = once.body.draft(id, &commerce)?;
    draft.check()?;
    once.key
        .once(&commerce.pool, move |transaction| {
            Box::pin(async move {
                let ids = (id, merchant_id, caller.id);
                let product = insert(transaction, &scope, ids, draft).await?;
                let location = crate::path(format_args!("products/{id}"));
                Ok(Answer::created(&product).etag(product.version).location(location))
            })
        })
        .await
}

async fn insert(
    connection: &mut PgConnection,
    scope: &shell::Scope,
    ids: (i64, i64, i64),
    draft: Draft,
) -> Result<Product, Problem> {
    let written = write::insert(connection, scope, ids, &draft).await;
    let written = written.map_err(|error| refused(error, ids.0, &draft.variants))?;
    if !written.has_merchant {
        return Err(merchant::no_such_merchant());
    }
    let slug = written.slug()?;
    Ok(Product {
        id: Id(ids.0),
        merchant_id: Id(ids.1),
        category_id: draft.category_id.map(Id),
        image_id: draft.image_id.map(Id),
        kind: draft.kind,
        name: draft.name,
        slug,
        description: draft.description,
        status: draft.status,
        industry_group: draft.industry_group,
        vat_class: draft.vat_class,
        variants: draft.variants,
        version: 1,
        created_at: written.at,
        updated_at: written.at,
        deleted_at: None,
    })
}

impl Written {
    /// The slug that the product has now, or why nothing was written.
    pub(super) fn slug(&self) -> Result<String, Problem> {
        if !self.has_category {
            return Err(unknown_category());
        }
        if !self.has_image {
            return Err(unknown_image());
        }
        self.slug.clone().ok_or_else(|| Problem::not_found("product"))
    }
}
