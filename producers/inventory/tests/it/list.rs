//! `GET /locations` and `GET /levels`

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::service::Running;
use crate::world;

fn ids(list: &Value, member: &str) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

/// Reads a list to its end, page by page.
async fn all(service: &Running, path: &str, member: &str) -> Vec<String> {
    let (mut read, mut cursor) = (Vec::new(), String::new());
    loop {
        let list = service.get_as_administrator(&format!("{path}{cursor}")).await.json();
        read.extend(ids(&list, member));
        match list["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return read,
        }
    }
}

#[tokio::test]
async fn a_location_and_a_level_are_shown_with_ids_and_quantity_as_texts() {
    let service = world::start().await;
    let list = service.get_as_administrator("/locations?merchant_id=1111111111").await.json();
    let at = "2026-11-01T01:00:00Z";
    let location = json!({ "id": "1111111111", "merchant_id": "1111111111", "name": "Kho mặc định", "is_default": true,
                           "created_at": at, "updated_at": at });
    assert_eq!(list, json!({ "items": [location] }));
    let list = service.get_as_administrator("/levels?variant_id=11111111111").await.json();
    let level = &list["items"][0];
    assert_eq!((&level["quantity"], &level["product_id"]), (&json!("1.25"), &json!("11111111110")));
    let list = service.get_as_administrator("/levels?variant_id=11111111110").await.json();
    assert_eq!(list["items"][0]["quantity"], "0");
}

#[tokio::test]
async fn filters_are_taken_together() {
    let service = world::start().await;
    for (filter, expected) in [
        ("merchant_id=1111111111", 2),
        ("location_id=2222222222", 2),
        ("variant_id=22222222220", 1),
        ("merchant_id=1111111111&location_id=1111111111&variant_id=11111111111", 1),
        ("merchant_id=1111111111&location_id=2222222222", 0),
        ("merchant_id=3", 0),
    ] {
        let list = service.get_as_administrator(&format!("/levels?{filter}")).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), expected, "{filter}");
    }
}

#[tokio::test]
async fn lists_are_read_page_by_page_without_gaps_or_doubles() {
    let service = world::start().await;
    let variants = ["11111111110", "11111111111", "22222222220", "22222222221"];
    for limit in 1..=4 {
        assert_eq!(all(&service, &format!("/levels?limit={limit}"), "variant_id").await, variants);
        assert_eq!(all(&service, &format!("/locations?limit={limit}"), "id").await, ["1111111111", "2222222222"]);
    }
}

#[tokio::test]
async fn what_is_gone_is_not_shown_nor_levels_of_a_location_that_is() {
    let service = world::start().await;
    service.execute("update stock_level set deleted_at = now() where variant_id = 11111111110").await;
    assert_eq!(all(&service, "/levels?merchant_id=1111111111", "variant_id").await, ["11111111111"]);
    service.execute("update location set deleted_at = now() where id = 1111111111").await;
    assert!(all(&service, "/levels?merchant_id=1111111111", "variant_id").await.is_empty());
    assert_eq!(all(&service, "/locations?limit=9", "id").await, ["2222222222"]);
}

#[tokio::test]
async fn a_location_whose_merchant_was_not_seen_yet_is_no_owners() {
    let service = world::start().await;
    service.execute("update location set created_by = null").await;
    let owner = service.issuer.token(world::ONES_OWNER, &["OWNER"], &[]);
    for path in ["/locations", "/levels"] {
        assert_eq!(service.get(path, Some(&owner)).await.json(), json!({ "items": [] }));
    }
    let cashier = service.issuer.token(5, &["CASHIER"], &[world::ONE]);
    assert_eq!(ids(&service.get("/locations", Some(&cashier)).await.json(), "id"), ["1111111111"]);
}

#[tokio::test]
async fn bad_filters_and_cursors_answer_400() {
    let service = world::start().await;
    for query in [
        "merchant_id=x",
        "merchant_id=0",
        "merchant_id=9223372036854775808",
        "limit=0",
        "limit=201",
        "cursor=AAAA",
        "merchant_id=%00",
    ] {
        for path in ["/locations", "/levels"] {
            let got = service.get_as_administrator(&format!("{path}?{query}")).await;
            assert_eq!(got.status, StatusCode::BAD_REQUEST, "{path}?{query}: {}", got.text);
        }
    }
    let next = service.get_as_administrator("/levels?limit=1").await.json()["next_cursor"].as_str().unwrap().to_owned();
    let elsewhere = service.get_as_administrator(&format!("/locations?cursor={next}")).await;
    assert_eq!(elsewhere.status, StatusCode::BAD_REQUEST, "a cursor is good for its own list");
}
