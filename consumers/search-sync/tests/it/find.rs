//! What is found, and how.

use serde_json::json;

use crate::shop::{CATEGORY, MERCHANT, OWNER, Shop, product, variant};

#[tokio::test]
async fn vietnamese_names_are_found_with_and_without_diacritics() {
    let shop = Shop::open().await;
    let names = ["Phở bò tái", "Phở gà", "Phố cổ", "Bún đậu mắm tôm", "Đường phèn", "Cà phê sữa đá"];
    for (place, name) in (0..).zip(names) {
        shop.product(100 + place * 10, name, 45_000).await;
    }
    shop.publish(&[100, 110, 120, 130, 140, 150]).await;
    for (q, found) in [
        ("phở", vec!["Phở bò tái", "Phở gà"]),
        ("pho", vec!["Phố cổ", "Phở bò tái", "Phở gà"]),
        ("pho bo", vec!["Phở bò tái"]),
        ("PHỞ BÒ", vec!["Phở bò tái"]),
        ("pho bò", vec!["Phở bò tái"]),
        ("dau mam tom", vec!["Bún đậu mắm tôm"]),
        ("đậu mam", vec!["Bún đậu mắm tôm"]),
        ("duong", vec!["Đường phèn"]),
        ("đường", vec!["Đường phèn"]),
        ("ca phe sua da", vec!["Cà phê sữa đá"]),
    ] {
        assert_eq!(shop.names(q, "").await, found, "{q}");
    }
}

#[tokio::test]
async fn a_name_written_with_separate_marks_is_the_same_name() {
    let shop = Shop::open().await;
    shop.product(100, "Pho\u{31b}\u{309} bo\u{300}", 45_000).await;
    shop.publish(&[100]).await;
    assert_eq!(shop.names("phở bò", "").await, ["Phở bò"]);
}

#[tokio::test]
async fn a_document_has_what_a_list_needs() {
    let shop = Shop::open().await;
    shop.category(50, Some(CATEGORY), "Phở").await;
    shop.product_of(MERCHANT, 100, Some(50), "Phở bò", 45_000).await;
    shop.variant(MERCHANT, 102, 100, 60_000).await;
    shop.publish(&[100]).await;
    let document = shop.document(100).await;
    for (field, value) in [
        ("merchant_id", json!(MERCHANT)),
        ("merchant_created_by", json!(OWNER)),
        ("merchant_name", json!("Quán Cô Ba")),
        ("category_ids", json!([50, CATEGORY])),
        ("category_names", json!(["Phở", "Món nước"])),
        ("price_min", json!(45_000)),
        ("price_max", json!(60_000)),
        ("price_band", json!("20000-50000")),
        ("skus", json!(["SKU-101", "SKU-102"])),
        ("barcodes", json!(["893101", "893102"])),
        ("status", json!("ACTIVE")),
    ] {
        assert_eq!(document[field], value, "{field}");
    }
    let first = json!({ "id": "101", "sku": "SKU-101", "barcode": "893101", "name": "Tô lớn", "unit": "tô", "price": 45_000,
                        "is_default": true, "attributes": { "size": "L" } });
    assert_eq!(document["variants"][0], first);
    assert!(document["read_xmin"].as_i64().unwrap() > 0);
    assert_eq!(shop.names("SKU-102", "").await, ["Phở bò"]);
    assert_eq!(shop.names("893102", "").await, ["Phở bò"]);
    assert_eq!(shop.names("mon nuoc", "").await, ["Phở bò"]);
}

#[tokio::test]
async fn facets_count_by_category_and_price_within_a_merchant() {
    let shop = Shop::open().await;
    shop.merchant(9, "Quán khác").await;
    for (id, price) in [(100, 15_000), (110, 45_000), (120, 48_000), (130, 7_000_000)] {
        shop.product(id, &format!("Món {id}"), price).await;
    }
    shop.product_of(9, 200, None, "Món 200", 45_000).await;
    shop.publish(&[100, 110, 120, 130, 200]).await;
    let scope = format!("merchant_id:={MERCHANT}");
    let answer = shop.search("*", &scope, "category_labels,price_band").await;
    assert_eq!(answer["found"], 4);
    let counts = |facet: usize| {
        let mut counts: Vec<(String, i64)> = answer["facet_counts"][facet]["counts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|count| (count["value"].as_str().unwrap().to_owned(), count["count"].as_i64().unwrap()))
            .collect();
        counts.sort();
        counts
    };
    assert_eq!(counts(0), [(format!("{CATEGORY} Món nước"), 4)]);
    let bands = [("0-20000", 1), ("20000-50000", 2), ("5000000-", 1)].map(|(band, count)| (band.to_owned(), count));
    assert_eq!(counts(1), bands);
    assert_eq!(
        shop.names("*", &format!("{scope} && price_min:<=50000 && price_max:>=40000")).await,
        ["Món 110", "Món 120"]
    );
    assert_eq!(shop.names("*", "merchant_id:=9").await, ["Món 200"]);
}

#[tokio::test]
async fn a_change_of_a_product_or_of_a_variant_is_seen() {
    let shop = Shop::open().await;
    shop.product(100, "Phở bò", 45_000).await;
    shop.publish(&[100]).await;
    shop.run("update product set name = 'Phở gà', version = 2 where id = $1", &[100]).await;
    shop.apply(vec![product(100, 2)]).await;
    assert_eq!(shop.document(100).await["name"], "Phở gà");
    shop.run("update variant set price = 50000, version = 2 where id = $1", &[101]).await;
    shop.apply(vec![variant(101, 100, 2)]).await;
    assert_eq!(shop.document(100).await["price_min"], 50_000);
}

#[tokio::test]
async fn a_product_is_imported_once_for_itself_its_variants_and_its_merchant() {
    let shop = Shop::open().await;
    shop.product(100, "Phở bò", 45_000).await;
    shop.variant(MERCHANT, 102, 100, 60_000).await;
    let first = shop.apply(vec![product(100, 1), variant(101, 100, 1)]).await;
    assert_eq!((first.entities("imported"), first.entities("applied")), (1, 2));
    let second = shop.apply(vec![variant(101, 100, 1), variant(102, 100, 1), product(100, 1)]).await;
    assert_eq!((second.entities("imported"), second.entities("already-current")), (0, 3));
}
