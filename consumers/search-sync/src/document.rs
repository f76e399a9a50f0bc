//! A product's document, as one line of an import.

use runtime::Fault;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::plain::{composed, folded};
use crate::source::{Aggregate, Variant};

/// Where the bands of prices begin, in dong. A band is named by its bounds: `20000-50000`, the last one `5000000-`.
/// The lower bound belongs to the band. (The engine, in this version, has no facets by range.)
pub const PRICE_BANDS: [i64; 8] = [0, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 5_000_000];

/// What `collection.json` indexes, and beside it what is only stored.
#[derive(Serialize)]
struct Document<'a> {
    id: String,
    merchant_id: i64,
    merchant_created_by: i64,
    merchant_status: &'a str,
    name: String,
    name_folded: String,
    variant_names: Vec<String>,
    variant_names_folded: Vec<String>,
    /// Its category first, then the ones above.
    category_ids: Vec<i64>,
    /// `<id> <name>`, for facets.
    category_labels: Vec<String>,
    category_names: Vec<String>,
    category_names_folded: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_min: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_max: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_band: Option<String>,
    skus: Vec<&'a str>,
    barcodes: Vec<&'a str>,
    status: &'a str,
    variant_ids: Vec<i64>,
    /// Seconds since 1970.
    updated_at: i64,
    // From here on stored and not indexed.
    merchant_name: String,
    kind: &'a str,
    slug: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_id: Option<String>,
    version: i64,
    /// Every transaction of the source below this number is in the document.
    read_xmin: i64,
    variants: Vec<Stored<'a>>,
}

#[derive(Serialize)]
struct Stored<'a> {
    id: String,
    sku: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    barcode: Option<&'a str>,
    name: &'a str,
    unit: &'a str,
    price: i64,
    is_default: bool,
    attributes: &'a RawValue,
}

/// Appends the product's document and a line's end.
pub(crate) fn write(aggregate: &Aggregate, body: &mut Vec<u8>) -> Result<(), Fault> {
    let document = document(aggregate).map_err(|error| refused(aggregate.id, &error))?;
    serde_json::to_writer(&mut *body, &document).map_err(|error| refused(aggregate.id, &error))?;
    body.push(b'\n');
    Ok(())
}

fn refused(product: i64, error: &serde_json::Error) -> Fault {
    Fault::Refused(format!("product {product} has no document: {error}"))
}

fn document(aggregate: &Aggregate) -> serde_json::Result<Document<'_>> {
    let variants = || aggregate.living();
    let names = |fold: fn(&str) -> String| variants().filter(|v| !v.name.is_empty()).map(move |v| fold(&v.name));
    let categories = || aggregate.categories.iter();
    let price_min = variants().map(|variant| variant.price).min();
    Ok(Document {
        id: aggregate.id.to_string(),
        merchant_id: aggregate.merchant.id,
        merchant_created_by: aggregate.merchant.created_by,
        merchant_status: &aggregate.merchant.status,
        name: composed(&aggregate.name),
        name_folded: folded(&aggregate.name),
        variant_names: names(composed).collect(),
        variant_names_folded: names(folded).collect(),
        category_ids: categories().map(|category| category.id).collect(),
        category_labels: categories().map(|c| format!("{} {}", c.id, composed(&c.name))).collect(),
        category_names: categories().map(|category| composed(&category.name)).collect(),
        category_names_folded: categories().map(|category| folded(&category.name)).collect(),
        price_min,
        price_max: variants().map(|variant| variant.price).max(),
        price_band: price_min.map(band),
        skus: variants().map(|variant| variant.sku.as_str()).collect(),
        barcodes: variants().filter_map(|variant| variant.barcode.as_deref()).collect(),
        status: &aggregate.status,
        variant_ids: variants().map(|variant| variant.id).collect(),
        updated_at: aggregate.updated_at.unix_timestamp(),
        merchant_name: composed(&aggregate.merchant.name),
        kind: &aggregate.kind,
        slug: &aggregate.slug,
        image_id: aggregate.image_id.map(|id| id.to_string()),
        version: aggregate.version,
        read_xmin: aggregate.read_xmin,
        variants: variants().map(stored).collect::<Result<_, _>>()?,
    })
}

fn stored(variant: &Variant) -> serde_json::Result<Stored<'_>> {
    Ok(Stored {
        id: variant.id.to_string(),
        sku: &variant.sku,
        barcode: variant.barcode.as_deref(),
        name: &variant.name,
        unit: &variant.unit,
        price: variant.price,
        is_default: variant.is_default,
        attributes: serde_json::from_str(&variant.attributes)?,
    })
}

/// The band that a price falls into.
fn band(price: i64) -> String {
    let above = PRICE_BANDS.iter().position(|from| *from > price).unwrap_or(PRICE_BANDS.len());
    let from = PRICE_BANDS[above.saturating_sub(1)];
    PRICE_BANDS.get(above).map_or_else(|| format!("{from}-"), |to| format!("{from}-{to}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(aggregate: &Aggregate) -> serde_json::Value {
        let mut body = Vec::new();
        write(aggregate, &mut body).unwrap();
        assert_eq!(String::from_utf8_lossy(&body).lines().count(), 1);
        serde_json::from_slice(&body).unwrap()
    }

    /// Whoever reads the index (commerce's search) is tested against this file.
    #[test]
    fn the_example_is_what_is_written() {
        let mut aggregate = Aggregate::for_tests(7_200_000_000_000_000_001, 3, &[(51, 2), (52, 1)]);
        aggregate.image_id = Some(7_300_000_000_000_000_001);
        aggregate.variants[1].barcode = Some("8930000000052".to_owned());
        let example: serde_json::Value = serde_json::from_str(include_str!("../example.json")).unwrap();
        assert_eq!(json(&aggregate), example);
    }

    #[test]
    fn a_document_has_every_indexed_field() {
        let aggregate = Aggregate::for_tests(7_200_000_000_000_000_001, 3, &[(51, 2), (52, 1)]);
        let document = json(&aggregate);
        let schema: serde_json::Value = serde_json::from_str(crate::typesense::COLLECTION).unwrap();
        for field in schema["fields"].as_array().unwrap() {
            let name = field["name"].as_str().unwrap();
            assert!(!document[name].is_null(), "{name}");
        }
        assert_eq!(document["id"], "7200000000000000001");
        assert_eq!((&document["name"], &document["name_folded"]), (&"Phở bò".into(), &"pho bo".into()));
        assert_eq!(document["category_labels"][0], "90 Món nước");
        assert_eq!((&document["price_min"], &document["price_max"]), (&51_000.into(), &52_000.into()));
        assert_eq!(document["variants"][0]["attributes"]["size"], "L");
    }

    #[test]
    fn deleted_variants_are_not_in_it_and_without_any_there_is_no_price() {
        let mut aggregate = Aggregate::for_tests(1, 1, &[(51, 2)]);
        aggregate.variants[0].deleted = true;
        let document = json(&aggregate);
        assert_eq!(document["skus"], serde_json::json!([]));
        assert!(document.get("price_min").is_none() && document.get("price_band").is_none());
    }

    #[test]
    fn a_price_falls_into_the_band_that_begins_at_or_below_it() {
        for (price, name) in [
            (0, "0-20000"),
            (19_999, "0-20000"),
            (20_000, "20000-50000"),
            (999_999, "500000-1000000"),
            (5_000_000, "5000000-"),
            (9_007_199_254_740_991, "5000000-"),
        ] {
            assert_eq!(band(price), name);
        }
    }
}
