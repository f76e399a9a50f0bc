//! Lists: every order, page by page, and cursors that cannot be bent.

use serde_json::{Value, json};

use crate::shop::{self, Shop, text};

/// The names of a list, page by page.
async fn walk(shop: &Shop, path: &str, limit: usize) -> Vec<String> {
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop.call("GET", &format!("{path}&limit={limit}{cursor}")).send().await.expect(200);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        names.extend(items.iter().map(|item| text(&item["name"])));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return names,
        }
    }
}

async fn seven(shop: &Shop) -> String {
    let merchant = shop.merchant().await;
    for name in ["Bún", "Áo", "Phở", "Bún", "Chè", "Bánh", "Bún"] {
        shop.product(&merchant, name).await;
    }
    merchant
}

#[tokio::test]
async fn every_order_shows_every_row_once_with_any_page_size() {
    let shop = shop::open().await;
    let merchant = seven(&shop).await;
    let created = ["Bún", "Áo", "Phở", "Bún", "Chè", "Bánh", "Bún"];
    let mut by_name = created;
    by_name.sort_unstable();
    for (sort, mut expected) in [
        ("created_at", created.to_vec()),
        ("-created_at", created.to_vec()),
        ("updated_at", created.to_vec()),
        ("-updated_at", created.to_vec()),
        ("name", by_name.to_vec()),
        ("-name", by_name.to_vec()),
    ] {
        if sort.starts_with('-') {
            expected.reverse();
        }
        for limit in [1, 2, 3, 7, 200] {
            let names = walk(&shop, &format!("/products?merchant_id={merchant}&sort={sort}"), limit).await;
            assert_eq!(names, expected, "{sort} by {limit}");
        }
    }
}

#[tokio::test]
async fn a_cursor_that_was_changed_or_taken_elsewhere_is_refused() {
    let shop = shop::open().await;
    seven(&shop).await;
    let page = shop.call("GET", "/products?limit=2").send().await.expect(200);
    let cursor = text(&page["next_cursor"]);
    let bent = cursor.replacen(|letter: char| letter != 'A', "A", 1);
    for path in [
        format!("/products?cursor={bent}"),
        format!("/products?cursor={cursor}&sort=name"),
        format!("/products?cursor={cursor}&status=ACTIVE"),
        format!("/categories?cursor={cursor}"),
        "/products?cursor=%00".to_owned(),
        format!("/products?cursor={}", "A".repeat(5000)),
    ] {
        let reply = shop.call("GET", &path).send().await;
        assert_eq!(reply.status, 400, "{path}: {}", reply.text());
    }
    shop.call("GET", &format!("/products?cursor={cursor}")).send().await.expect(200);
}

#[tokio::test]
async fn products_are_found_by_what_they_are() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let other = shop.merchant().await;
    let category = shop.create("/categories", json!({ "merchant_id": merchant, "name": "Món nước" })).await;
    let mut body = shop::product(&merchant, "Phở 50% off");
    body["category_id"] = category["id"].clone();
    body["status"] = json!("DRAFT");
    body["variants"][0]["sku"] = json!("PHO-S");
    body["variants"][0]["barcode"] = json!("8934563138165");
    let one = shop.create("/products", body).await;
    shop.product(&merchant, "Phở 500").await;
    shop.product(&other, "Phở").await;
    for (filter, count) in [
        (format!("merchant_id={merchant}"), 2),
        (format!("merchant_id={other}"), 1),
        (format!("category_id={}", text(&category["id"])), 1),
        ("status=DRAFT".to_owned(), 1),
        ("kind=RETAIL".to_owned(), 0),
        ("slug=pho-50-off".to_owned(), 1),
        ("name=ph%E1%BB%9F%2050%25".to_owned(), 1),
        ("name=PH%E1%BB%9E".to_owned(), 3),
        ("sku=PHO-S".to_owned(), 1),
        ("barcode=8934563138165".to_owned(), 1),
        ("deleted=true".to_owned(), 0),
    ] {
        let found = shop.call("GET", &format!("/products?{filter}")).send().await.expect(200);
        assert_eq!(found["items"].as_array().unwrap().len(), count, "{filter}");
        if count == 1 && !filter.contains(&other) {
            assert_eq!(found["items"][0]["id"], one["id"], "{filter}");
        }
    }
}

#[tokio::test]
async fn merchants_and_categories_are_found_by_what_they_are() {
    let shop = shop::open().await;
    let body = json!({
        "name": "Giảng", "industry": "RETAIL", "taxpayer": "ENTERPRISE", "tax_code": "0314409058002", "province_code": "01",
    });
    let merchant = text(&shop.create("/merchants", body).await["id"]);
    let other = shop.merchant().await;
    let top = shop.create("/categories", json!({ "merchant_id": merchant, "name": "Top" })).await;
    shop.create("/categories", json!({ "merchant_id": merchant, "name": "Below", "parent_id": top["id"] })).await;
    shop.create("/categories", json!({ "merchant_id": other, "name": "Other" })).await;
    let count = async |path: String| -> usize {
        let found: Value = shop.call("GET", &path).send().await.expect(200);
        found["items"].as_array().unwrap().len()
    };
    for (path, expected) in [
        ("/merchants?province_code=01", 1),
        ("/merchants?tax_code=0314409058-002", 1),
        ("/merchants?industry=RETAIL", 1),
        ("/merchants?status=ACTIVE", 2),
        ("/merchants?name=gi%E1%BA%A3", 1),
        ("/categories?top=true", 2),
        ("/categories?slug=below", 1),
    ] {
        assert_eq!(count(path.to_owned()).await, expected, "{path}");
    }
    assert_eq!(count(format!("/categories?merchant_id={merchant}")).await, 2);
    assert_eq!(count(format!("/categories?parent_id={}", text(&top["id"]))).await, 1);
}
