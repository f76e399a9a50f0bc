//! Products found by what people type, from the search engine that `search-sync` fills.
//!
//! Postgres is not asked: what is found is as old as the last change that reached the engine (milliseconds as a rule),
//! and only who may see it is decided here.

mod engine;
mod find;
mod found;
mod question;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use shell::{Id, OpenApiRouter, routes};
use utoipa::ToSchema;

use crate::Commerce;

pub use engine::{Engine, EngineSettings};

/// A router whose searches ask this engine. Without one they answer 503.
pub fn with_engine(router: axum::Router, engine: Option<Engine>) -> axum::Router {
    match engine {
        Some(engine) => router.layer(axum::Extension(engine)),
        None => router,
    }
}

pub(crate) fn routes() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new().routes(routes!(find::find))
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Found {
    /// The products of this page, the best first.
    pub items: Vec<FoundProduct>,
    /// How many there are on all pages.
    #[schema(minimum = 0)]
    pub found: u64,
    /// Which page this is; the first is 1.
    #[schema(minimum = 1)]
    pub page: u16,
    /// How what was found, on all pages, spreads.
    pub facets: Facets,
}

/// A product that was found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FoundProduct {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub merchant_id: Id,
    /// The merchant's name.
    pub merchant_name: String,
    /// As customers see it.
    #[schema(example = "Phở bò tái")]
    pub name: String,
    /// Names it in addresses.
    pub slug: String,
    /// `RETAIL` or `MENU_ITEM`.
    pub kind: String,
    /// `DRAFT`, `ACTIVE` or `ARCHIVED`.
    pub status: String,
    /// Its picture.
    pub image_id: Option<Id>,
    /// Its category first, then the ones above.
    pub categories: Vec<FoundCategory>,
    /// The lowest price of its variants, in whole dong.
    pub price_min: Option<i64>,
    /// The highest price of its variants, in whole dong.
    pub price_max: Option<i64>,
    /// Its variants.
    pub variants: Vec<FoundVariant>,
}

/// A category of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FoundCategory {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
}

/// A variant of a product that was found.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FoundVariant {
    /// Its id.
    pub id: Id,
    /// The merchant's own number for it.
    pub sku: String,
    /// What a scanner reads.
    pub barcode: Option<String>,
    /// What sets it apart; empty for the only one.
    pub name: String,
    /// What it is counted in.
    pub unit: String,
    /// Whole dong, as displayed.
    pub price: i64,
    /// Whether it is the one that is offered first.
    pub is_default: bool,
    /// Properties: `{"size": "L"}`.
    #[schema(value_type = BTreeMap<String, String>)]
    pub attributes: BTreeMap<String, Value>,
}

/// Counts over everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Facets {
    /// By category, the fullest first; a product counts in its category and in each above it.
    pub categories: Vec<CategoryCount>,
    /// By the lowest price, the cheapest first.
    pub prices: Vec<PriceCount>,
}

/// How many products are in a category or below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CategoryCount {
    /// The category.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// How many.
    #[schema(minimum = 0)]
    pub count: u64,
}

/// How many products begin within a band of prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PriceCount {
    /// The lowest price in the band, in whole dong.
    pub from: i64,
    /// The first price above it; none for the last band.
    pub to: Option<i64>,
    /// How many.
    #[schema(minimum = 0)]
    pub count: u64,
}
