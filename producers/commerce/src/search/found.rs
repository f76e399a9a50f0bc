//! What the engine answered, as the caller sees it. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use shell::Id;

use super::{CategoryCount, Facets, Found, FoundCategory, FoundProduct, FoundVariant, PriceCount};

/// The engine's answer to one search.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    found: u64,
    hits: Vec<Hit>,
    #[serde(default)]
    facet_counts: Vec<Facet>,
}

#[derive(Debug, Deserialize)]
struct Hit {
    document: Document,
}

#[derive(Debug, Deserialize)]
struct Facet {
    field_name: String,
    counts: Vec<Count>,
}

#[derive(Debug, Deserialize)]
struct Count {
    value: String,
    count: u64,
}

/// As `search-sync` writes it.
#[derive(Debug, Deserialize)]
struct Document {
    id: Id,
    merchant_id: i64,
    merchant_name: String,
    name: String,
    slug: String,
    kind: String,
    status: String,
    image_id: Option<Id>,
    category_labels: Vec<String>,
    price_min: Option<i64>,
    price_max: Option<i64>,
    variants: Vec<Variant>,
}

#[derive(Debug, Deserialize)]
struct Variant {
    id: Id,
    sku: String,
    barcode: Option<String>,
    name: String,
    unit: String,
    price: i64,
    is_default: bool,
    attributes: BTreeMap<String, Value>,
}

impl Answer {
    pub(super) fn is_empty(&self) -> bool {
        self.found == 0
    }

    pub(super) fn shown(self, page: u16) -> Found {
        let mut facets = Facets::default();
        for facet in self.facet_counts {
            match facet.field_name.as_str() {
                "category_labels" => facets.categories = facet.counts.iter().filter_map(category_count).collect(),
                "price_band" => facets.prices = facet.counts.iter().filter_map(price_count).collect(),
                _ => {}
            }
        }
        facets.prices.sort_by_key(|count| count.from);
        let items = self.hits.into_iter().map(|hit| product(hit.document)).collect();
        Found { items, found: self.found, page, facets }
    }
}

fn product(document: Document) -> FoundProduct {
    let categories = document.category_labels.iter().filter_map(|label| category(label)).collect();
    let variant = |variant: Variant| {
        let Variant { id, sku, barcode, name, unit, price, is_default, attributes } = variant;
        FoundVariant { id, sku, barcode, name, unit, price, is_default, attributes }
    };
    FoundProduct {
        id: document.id,
        merchant_id: Id(document.merchant_id),
        merchant_name: document.merchant_name,
        name: document.name,
        slug: document.slug,
        kind: document.kind,
        status: document.status,
        image_id: document.image_id,
        categories,
        price_min: document.price_min,
        price_max: document.price_max,
        variants: document.variants.into_iter().map(variant).collect(),
    }
}

/// A label is `<id> <name>`.
fn category(label: &str) -> Option<FoundCategory> {
    let (id, name) = label.split_once(' ')?;
    Some(FoundCategory { id: id.parse().ok()?, name: name.to_owned() })
}

fn category_count(count: &Count) -> Option<CategoryCount> {
    let FoundCategory { id, name } = category(&count.value)?;
    Some(CategoryCount { id, name, count: count.count })
}

/// A band is `<from>-<to>`, the last one `<from>-`.
fn price_count(count: &Count) -> Option<PriceCount> {
    let (from, to) = count.value.split_once('-')?;
    Some(PriceCount { from: from.parse().ok()?, to: to.parse().ok(), count: count.count })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_shown_with_ids_as_texts_and_facets_in_order() {
        let answer: Answer = serde_json::from_value(json!({
            "found": 3,
            "hits": [{ "document": {
                "id": "7200000000000000001", "merchant_id": 7_100_000_000_000_000_001_i64, "merchant_name": "Quán",
                "name": "Phở", "slug": "pho", "kind": "MENU_ITEM", "status": "ACTIVE",
                "category_labels": ["5 Món nước", "4 Thực đơn"], "price_min": 1000, "price_max": 2000,
                "variants": [{ "id": "9", "sku": "S", "name": "", "unit": "tô", "price": 1000, "is_default": true,
                               "attributes": { "size": "L" } }],
            } }],
            "facet_counts": [
                { "field_name": "category_labels", "counts": [{ "value": "5 Món nước", "count": 2 }] },
                { "field_name": "price_band", "counts": [{ "value": "5000000-", "count": 1 }, { "value": "0-20000", "count": 2 }] },
            ],
        }))
        .unwrap();
        let found = serde_json::to_value(answer.shown(2)).unwrap();
        assert_eq!(found["items"][0]["merchant_id"], "7100000000000000001");
        assert_eq!(found["items"][0]["categories"][1], json!({ "id": "4", "name": "Thực đơn" }));
        assert_eq!(
            found["facets"]["prices"],
            json!([
                { "from": 0, "to": 20_000, "count": 2 }, { "from": 5_000_000, "to": null, "count": 1 },
            ])
        );
        assert_eq!(found["facets"]["categories"], json!([{ "id": "5", "name": "Món nước", "count": 2 }]));
        assert_eq!((&found["found"], &found["page"]), (&json!(3), &json!(2)));
    }
}
