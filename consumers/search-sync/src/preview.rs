//! What the documents would become, and what they are. Reads only: no lock is taken and nothing is remembered.

use std::collections::{BTreeMap, BTreeSet};

use runtime::preview::differences;
use runtime::{Batch, EntityKey, Fault, Held, Outcome, Preview};
use schemas::Row as _;
use schemas::commerce::category::Category;
use schemas::commerce::merchant::Merchant;
use schemas::commerce::product::Product;
use serde_json::{Value, json};

use crate::Inner;
use crate::compare;
use crate::decide::Plan;
use crate::source;

/// How many products are compared at once.
const PAGE: usize = 500;

/// Compares the documents of every product that a batch touches with what the source says now.
pub(crate) async fn preview(inner: &Inner, batch: &Batch<Plan>) -> Result<Preview, Fault> {
    let mut preview = Preview::default();
    for planned in &batch.plans {
        preview.outcome.count(Outcome::APPLIED, planned.entity.key());
    }
    let products: Vec<i64> = touched(inner, batch).await?.into_iter().collect();
    for page in products.chunks(PAGE) {
        let (is, becomes) = (shown(inner, page).await?, computed(inner, page).await?);
        preview.differences.extend(differences(is, becomes));
    }
    Ok(preview)
}

async fn touched(inner: &Inner, batch: &Batch<Plan>) -> Result<BTreeSet<i64>, Fault> {
    let (mut products, mut lost) = (BTreeSet::new(), Vec::new());
    let (mut merchants, mut categories) = (Vec::new(), Vec::new());
    for planned in &batch.plans {
        match planned.plan {
            Plan::Product { id, .. } => drop(products.insert(id)),
            Plan::Variant { product_id, .. } => drop(products.insert(product_id)),
            Plan::LostVariant { id } => lost.push(id),
            Plan::Merchant { id, .. } => merchants.push(id),
            Plan::Category { id, .. } => categories.push(id),
        }
    }
    if !lost.is_empty() {
        products.extend(inner.typesense.products_of_variants(&lost).await?);
    }
    let mut shelves = source::shelves_of_merchants(&inner.source, &merchants).await?;
    shelves.extend(source::shelves_of_categories(&inner.source, &categories).await?);
    while !shelves.is_empty() {
        products.extend(source::products_of(&inner.source, &mut shelves).await?.into_iter().map(|(id, _)| id));
    }
    Ok(products)
}

/// The documents that the source makes of these products.
async fn computed(inner: &Inner, products: &[i64]) -> Result<BTreeMap<String, Held>, Fault> {
    let documents = compare::computed(&inner.source, products).await?;
    Ok(documents.into_values().map(named).map(|held| (held.name.clone(), held)).collect())
}

/// The documents that the engine has of these products.
async fn shown(inner: &Inner, products: &[i64]) -> Result<BTreeMap<String, Held>, Fault> {
    let documents = inner.typesense.documents(products).await?;
    Ok(documents.into_iter().map(named).map(|held| (held.name.clone(), held)).collect())
}

/// A document by its id.
fn named(document: Value) -> Held {
    let document = compare::content(document);
    let id = document["id"].as_str().unwrap_or_default();
    Held { name: format!("document {id}"), position: None, content: document }
}

/// What the engine shows of an entity: the document of a product or of a variant's product; of a merchant or category how
/// many documents it is in.
pub(crate) async fn held(inner: &Inner, entity: &EntityKey) -> Result<Vec<Held>, Fault> {
    let Some(id) = entity.id() else { return Ok(Vec::new()) };
    let products = match entity.topic() {
        Product::TOPIC => vec![id],
        Merchant::TOPIC | Category::TOPIC => {
            let field = if entity.topic() == Merchant::TOPIC { "merchant_id" } else { "category_ids" };
            let documents = inner.typesense.count(&format!("{field}:={id}")).await?;
            let name = format!("documents with {field} {id}");
            return Ok(vec![Held { name, position: None, content: json!({ "documents": documents }) }]);
        }
        _ => inner.typesense.products_of_variants(&[id]).await?,
    };
    Ok(inner.typesense.documents(&products).await?.into_iter().map(named).collect())
}
