//! What of the catalogue is there already, asked of the API: so an interrupted run goes on where it stopped.

use std::collections::HashMap;

use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use super::api::{Api, id_of};
use super::catalogue::Shop;

/// What is known of one shop.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) merchant: Option<i64>,
    /// By name.
    pub(super) categories: HashMap<String, i64>,
    /// Products that are there, by name.
    pub(super) live: HashMap<String, Product>,
    /// Products that were deleted, by name.
    pub(super) deleted: HashMap<String, Product>,
}

/// A product as the API shows it.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub(super) id: i64,
    /// Their ids, in their order.
    pub(super) variants: Vec<i64>,
    pub(super) version: i64,
}

impl Product {
    /// Reads it from an answer.
    pub(super) fn of(body: &Value) -> anyhow::Result<Self> {
        let variants = body["variants"].as_array().into_iter().flatten();
        let variants = variants.map(|variant| id_of(&variant["id"])).collect::<anyhow::Result<_>>()?;
        Ok(Self { id: id_of(&body["id"])?, variants, version: body["version"].as_i64().unwrap_or_default() })
    }
}

/// Asks for every shop.
pub(super) async fn survey(api: &Api, shops: &[Shop]) -> anyhow::Result<Vec<Known>> {
    futures::stream::iter(shops).map(|shop| survey_shop(api, shop)).buffered(8).try_collect().await
}

async fn survey_shop(api: &Api, shop: &Shop) -> anyhow::Result<Known> {
    let found = api.list(&format!("/merchants?tax_code={}", shop.tax_code)).await?;
    let Some(merchant) = found.iter().find(|merchant| merchant["name"] == shop.name) else {
        return Ok(Known::default());
    };
    let id = id_of(&merchant["id"])?;
    let mut categories = HashMap::new();
    for category in api.list(&format!("/categories?merchant_id={id}")).await? {
        categories.insert(category["name"].as_str().unwrap_or_default().to_owned(), id_of(&category["id"])?);
    }
    Ok(Known {
        merchant: Some(id),
        categories,
        live: products(api, id, false).await?,
        deleted: products(api, id, true).await?,
    })
}

async fn products(api: &Api, merchant: i64, deleted: bool) -> anyhow::Result<HashMap<String, Product>> {
    let found = api.list(&format!("/products?merchant_id={merchant}&deleted={deleted}")).await?;
    let named = |body: &Value| Ok((body["name"].as_str().unwrap_or_default().to_owned(), Product::of(body)?));
    found.iter().map(named).collect()
}
