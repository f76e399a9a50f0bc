//! Merchants: creating, changing, deleting, restoring.

use serde_json::json;

use crate::shop::{self, RIVAL, text};

fn full() -> serde_json::Value {
    json!({
        "name": "  Cà phê Giảng  ", "industry": "FOOD_SERVICE", "taxpayer": "HOUSEHOLD", "tax_code": "0314409058-002",
        "tax_name": "HKD Nguyễn Văn Giảng", "tax_address": "39 Nguyễn Hữu Huân", "address_line": "39 Nguyễn Hữu Huân",
        "province_code": "01", "ward_code": "00004", "phone": "+84 24 3826 1234", "email": "giang@example.vn",
    })
}

#[tokio::test]
async fn a_merchant_is_created_read_and_owned_by_its_creator() {
    let shop = shop::open().await;
    let reply = shop.call("POST", "/merchants").json(&full()).key("a").send().await;
    let created = reply.expect(201);
    assert_eq!(reply.header("etag"), "\"1\"");
    assert_eq!(reply.header("location"), format!("/v1/api/commerce/merchants/{}", text(&created["id"])));
    assert_eq!(created["name"], "Cà phê Giảng");
    assert_eq!(created["tax_code"], "0314409058002");
    assert_eq!((&created["status"], &created["deletion_policy"]), (&json!("ACTIVE"), &json!("RESTRICT")));
    assert_eq!(created["owner_id"], shop::OWNER.to_string());
    let read = shop.call("GET", &format!("/merchants/{}", text(&created["id"]))).send().await;
    assert_eq!(read.expect(200), created);
}

#[tokio::test]
async fn the_same_idempotency_key_creates_once_and_another_body_is_refused() {
    let shop = shop::open().await;
    let first = shop.call("POST", "/merchants").json(&full()).key("k").send().await;
    let again = shop.call("POST", "/merchants").json(&full()).key("k").send().await;
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(again.status, 201);
    assert_eq!(shop.count("select count(*) from merchant").await, 1);
    let mut other = full();
    other["name"] = json!("Another");
    let reused = shop.call("POST", "/merchants").json(&other).key("k").send().await;
    reused.refused(422, "IDEMPOTENCY_KEY_REUSED", &[]);
    let missing = shop.call("POST", "/merchants").json(&full()).send().await;
    missing.refused(400, "IDEMPOTENCY_KEY_REQUIRED", &[]);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let shop = shop::open().await;
    let mut body = full();
    body["name"] = json!(" ");
    body["tax_code"] = json!("0100233480");
    body["province_code"] = json!("02");
    body["email"] = json!("nobody");
    body["phone"] = json!("call me");
    let reply = shop.call("POST", "/merchants").json(&body).key("k").send().await;
    reply.refused(422, "INVALID", &["/name", "/email", "/phone", "/tax_code", "/province_code"]);
    body = full();
    body["province_code"] = json!("79");
    let reply = shop.call("POST", "/merchants").json(&body).key("k").send().await;
    reply.refused(422, "INVALID", &["/ward_code"]);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_empties_what_it_nulls() {
    let shop = shop::open().await;
    let created = shop.create("/merchants", full()).await;
    let path = format!("/merchants/{}", text(&created["id"]));
    let body = json!({ "phone": null, "tax_code": "0100109106", "status": "SUSPENDED" });
    let reply = shop.call("PATCH", &path).json(&body).version(&created["version"]).send().await;
    let after = reply.expect(200);
    assert_eq!(reply.header("etag"), "\"2\"");
    assert_eq!((&after["phone"], &after["tax_code"]), (&json!(null), &json!("0100109106")));
    assert_eq!((&after["status"], &after["email"]), (&json!("SUSPENDED"), &created["email"]));
}

#[tokio::test]
async fn a_stale_if_match_answers_412_and_a_missing_one_428() {
    let shop = shop::open().await;
    let path = format!("/merchants/{}", shop.merchant().await);
    let body = json!({ "name": "New" });
    let stale = shop.call("PATCH", &path).json(&body).version(&json!(9)).send().await;
    stale.refused(412, "VERSION_MISMATCH", &[]);
    let missing = shop.call("PATCH", &path).json(&body).send().await;
    missing.refused(428, "IF_MATCH_REQUIRED", &[]);
    let missing = shop.call("DELETE", &path).send().await;
    missing.refused(428, "IF_MATCH_REQUIRED", &[]);
}

#[tokio::test]
async fn only_an_administrator_creates_a_merchant_for_another_user() {
    let shop = shop::open().await;
    let mut body = full();
    body["owner_id"] = json!(RIVAL.to_string());
    let refused = shop.call("POST", "/merchants").json(&body).key("k").send().await;
    refused.refused(403, "FORBIDDEN", &["/owner_id"]);
    let admin = shop.call("POST", "/merchants").json(&body).key("k").role(1, "ADMIN", &[]).send().await;
    let created = admin.expect(201);
    let path = format!("/merchants/{}", text(&created["id"]));
    assert_eq!(shop.call("GET", &path).owner(RIVAL).send().await.status, 200);
    assert_eq!(shop.call("GET", &path).send().await.status, 404);
}

#[tokio::test]
async fn deleting_is_refused_while_something_depends_on_it_and_says_what() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let product = shop.product(&merchant, "Phở bò").await;
    let path = format!("/merchants/{merchant}");
    let refused = shop.call("DELETE", &path).version(&json!(1)).send().await;
    refused.refused(409, "IN_USE", &[]);
    assert_eq!(refused.json()["dependents"], json!([{ "kind": "product", "count": 1, "ids": [product["id"]] }]));
    assert_eq!(shop.call("GET", &path).send().await.status, 200);
}

#[tokio::test]
async fn archiving_keeps_a_merchant_readable() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    shop.product(&merchant, "Phở bò").await;
    let path = format!("/merchants/{merchant}");
    let done = shop.call("DELETE", &format!("{path}?policy=ARCHIVE")).version(&json!(1)).send().await.expect(200);
    assert_eq!(done["outcome"], "ARCHIVED");
    assert_eq!(shop.call("GET", &path).send().await.expect(200)["status"], "ARCHIVED");
}

#[tokio::test]
async fn a_cascade_takes_everything_along_and_a_restore_brings_exactly_that_back() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let kept = shop.product(&merchant, "Phở bò").await;
    let gone = shop.product(&merchant, "Phở gà").await;
    let category = json!({ "merchant_id": merchant, "name": "Món nước" });
    shop.create("/categories", category).await;
    let path = format!("/products/{}", text(&gone["id"]));
    shop.call("DELETE", &path).version(&json!(1)).send().await.expect(200);
    let path = format!("/merchants/{merchant}");
    let done = shop.call("DELETE", &format!("{path}?policy=CASCADE")).version(&json!(1)).send().await.expect(200);
    assert_eq!((&done["outcome"], &done["cascaded"]), (&json!("DELETED"), &json!(4))); // product, two variants, category
    assert_eq!(shop.call("GET", &path).send().await.status, 404);
    let product_path = format!("/products/{}", text(&kept["id"]));
    assert_eq!(shop.call("GET", &product_path).send().await.status, 404);
    let restored = shop.call("POST", &format!("{path}/restore")).version(&json!(2)).send().await.expect(200);
    assert_eq!(restored["version"], 3);
    assert_eq!(shop.call("GET", &product_path).send().await.expect(200)["variants"].as_array().unwrap().len(), 2);
    // The product that had been deleted before stays deleted.
    assert_eq!(shop.count("select count(*) from product where deleted_at is null").await, 1);
}
