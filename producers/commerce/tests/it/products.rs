//! Products with variants and prices: one aggregate.

use serde_json::{Value, json};

use crate::shop::{self, Shop, text};

fn path(product: &Value) -> String {
    format!("/products/{}", text(&product["id"]))
}

/// What a PUT of a product as it is would send.
fn whole(product: &Value) -> Value {
    let mut body = product.clone();
    let fields = body.as_object_mut().unwrap();
    for name in ["id", "merchant_id", "version", "created_at", "updated_at"] {
        fields.remove(name);
    }
    for variant in body["variants"].as_array_mut().unwrap() {
        variant.as_object_mut().unwrap().remove("position");
        variant.as_object_mut().unwrap().remove("version");
    }
    body
}

async fn put(shop: &Shop, product: &Value, body: &Value) -> shop::Reply {
    shop.call("PUT", &path(product)).json(body).version(&product["version"]).send().await
}

#[tokio::test]
async fn an_aggregate_is_created_and_read_back_as_it_was_answered() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let created = shop.product(&merchant, "Phở bò tái đặc biệt").await;
    assert_eq!(created["slug"], "pho-bo-tai-dac-biet");
    assert_eq!(
        (&created["industry_group"], &created["vat_class"]),
        (&json!("PRODUCTION_TRANSPORT_FOOD"), &json!("STANDARD"))
    );
    let variants = created["variants"].as_array().unwrap();
    assert_eq!(variants.iter().map(|one| one["is_default"].as_bool().unwrap()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(variants[0]["sku"], format!("V{}", text(&variants[0]["id"])));
    assert_eq!(variants[1]["attributes"], json!({ "size": "L" }));
    let read = shop.call("GET", &path(&created)).send().await;
    assert_eq!(read.header("etag"), "\"1\"");
    assert_eq!(read.expect(200), created);
    assert_eq!(shop.count("select count(*) from price").await, 2);
}

#[tokio::test]
async fn a_repeated_create_makes_one_product() {
    let shop = shop::open().await;
    let body = shop::product(&shop.merchant().await, "Phở");
    let (one, two) = tokio::join!(
        shop.call("POST", "/products").json(&body).key("k").send(),
        shop.call("POST", "/products").json(&body).key("k").send(),
    );
    for reply in [&one, &two] {
        assert!(reply.status == 201 || reply.json()["code"] == "IDEMPOTENCY_KEY_IN_USE", "{}", reply.text());
    }
    let third = shop.call("POST", "/products").json(&body).key("k").send().await;
    assert!([&one, &two].iter().any(|reply| reply.bytes == third.bytes));
    assert_eq!(shop.count("select count(*) from product").await, 1);
    assert_eq!(shop.count("select count(*) from variant").await, 2);
}

#[tokio::test]
async fn a_made_slug_gives_way_and_a_given_one_conflicts() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    shop.product(&merchant, "Bánh mì").await;
    let second = shop.product(&merchant, "Bánh mì").await;
    assert!(text(&second["slug"]).starts_with("banh-mi-"), "{second}");
    let mut body = shop::product(&merchant, "Bánh mì");
    body["slug"] = json!("banh-mi");
    shop.call("POST", "/products").json(&body).key("k").send().await.refused(409, "SLUG_TAKEN", &["/slug"]);
    let patch = shop.call("PATCH", &path(&second)).json(&json!({ "slug": "banh-mi" })).version(&json!(1)).send().await;
    patch.refused(409, "SLUG_TAKEN", &["/slug"]);
    let unnamed = shop.product(&merchant, "寿司").await;
    assert_eq!(unnamed["slug"], format!("p-{}", text(&unnamed["id"])));
}

#[tokio::test]
async fn a_taken_sku_or_barcode_names_the_variant_and_nothing_is_left_of_the_aggregate() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let mut body = shop::product(&merchant, "One");
    body["variants"][0]["sku"] = json!("A, B) 1");
    body["variants"][0]["barcode"] = json!("8934563138165");
    shop.create("/products", body.clone()).await;
    body["name"] = json!("Two");
    body["variants"].as_array_mut().unwrap().swap(0, 1);
    let refused = shop.call("POST", "/products").json(&body).key("k").send().await;
    let pointer = text(&refused.expect(409)["errors"][0]["pointer"]);
    assert!(["/variants/1/sku", "/variants/1/barcode"].contains(&pointer.as_str()), "{pointer}");
    body["variants"][1]["sku"] = json!("C");
    let refused = shop.call("POST", "/products").json(&body).key("k").send().await;
    refused.refused(409, "BARCODE_TAKEN", &["/variants/1/barcode"]);
    assert_eq!(shop.count("select count(*) from product").await, 1);
    assert_eq!(shop.count("select count(*) from idempotency_key where status = 201").await, 2); // merchant, product
}

#[tokio::test]
async fn a_category_or_picture_of_another_merchant_is_refused_with_its_field() {
    let shop = shop::open().await;
    let (merchant, other) = (shop.merchant().await, shop.merchant().await);
    let foreign = shop.create("/categories", json!({ "merchant_id": other, "name": "Foreign" })).await;
    for (field, id) in [("category_id", &foreign["id"]), ("category_id", &json!("77")), ("image_id", &json!("77"))] {
        let mut body = shop::product(&merchant, "Phở");
        body[field] = id.clone();
        let reply = shop.call("POST", "/products").json(&body).key("k").send().await;
        reply.refused(422, "INVALID", &[&format!("/{field}")]);
    }
    let product = shop.product(&merchant, "Phở").await;
    let patch = json!({ "category_id": foreign["id"] });
    let reply = shop.call("PATCH", &path(&product)).json(&patch).version(&json!(1)).send().await;
    reply.refused(422, "INVALID", &["/category_id"]);
}

#[tokio::test]
async fn a_replacement_updates_adds_and_removes_variants_in_one_version() {
    let shop = shop::open().await;
    let product = shop.product(&shop.merchant().await, "Phở").await;
    let mut body = whole(&product);
    let kept = body["variants"][0]["id"].clone();
    body["variants"] = json!([
        { "sku": "NEW", "name": "Tô đặc biệt", "price": 80_000, "is_default": true },
        { "id": kept, "sku": "SMALL", "price": 55_000, "unit": "tô" },
    ]);
    body["name"] = json!("Phở bò");
    let replaced = put(&shop, &product, &body).await.expect(200);
    let variants = replaced["variants"].as_array().unwrap();
    assert_eq!((replaced["version"].as_i64(), variants.len()), (Some(2), 2));
    assert_eq!((&variants[0]["sku"], &variants[1]["id"]), (&json!("NEW"), &kept));
    assert_eq!((&variants[0]["is_default"], &variants[1]["is_default"]), (&json!(true), &json!(false)));
    assert_eq!(shop.call("GET", &path(&product)).send().await.expect(200), replaced);
    assert_eq!(shop.count("select count(*) from variant where deleted_at is not null").await, 1);
    assert_eq!(shop.count("select count(*) from price where product_version = 2").await, 2);
}

#[tokio::test]
async fn a_replacement_by_the_same_leaves_variants_and_prices_alone() {
    let shop = shop::open().await;
    let product = shop.product(&shop.merchant().await, "Phở").await;
    let replaced = put(&shop, &product, &whole(&product)).await.expect(200);
    assert_eq!(replaced["version"], 2);
    assert_eq!(replaced["variants"], product["variants"]);
    assert_eq!(shop.count("select count(*) from price").await, 2);
}

#[tokio::test]
async fn the_sku_of_a_removed_variant_can_go_to_a_new_one_at_once() {
    let shop = shop::open().await;
    let product = shop.product(&shop.merchant().await, "Phở").await;
    let mut body = whole(&product);
    body["variants"] = json!([{ "sku": product["variants"][0]["sku"], "price": 1 }]);
    let replaced = put(&shop, &product, &body).await.expect(200);
    assert_ne!(replaced["variants"][0]["id"], product["variants"][0]["id"]);
}

#[tokio::test]
async fn a_variant_of_another_product_cannot_be_named() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let (one, two) = (shop.product(&merchant, "One").await, shop.product(&merchant, "Two").await);
    let mut body = whole(&one);
    body["variants"][1]["id"] = two["variants"][0]["id"].clone();
    put(&shop, &one, &body).await.refused(422, "INVALID", &["/variants/1/id"]);
    body["variants"][1]["id"] = body["variants"][0]["id"].clone();
    body["variants"][1]["sku"] = json!("OTHER");
    put(&shop, &one, &body).await.refused(422, "INVALID", &["/variants/1/id"]);
    let patch = json!({ "variants": [{ "id": two["variants"][0]["id"], "price": 1 }] });
    let reply = shop.call("PATCH", &path(&one)).json(&patch).version(&json!(1)).send().await;
    reply.refused(422, "INVALID", &["/variants/0/id"]);
    let mut new = shop::product(&merchant, "Three");
    new["variants"][0]["id"] = one["variants"][0]["id"].clone();
    shop.call("POST", "/products").json(&new).key("k").send().await.refused(422, "INVALID", &["/variants/0/id"]);
}

#[tokio::test]
async fn a_patch_of_one_price_touches_that_variant_and_writes_its_history() {
    let shop = shop::open().await;
    let product = shop.product(&shop.merchant().await, "Phở").await;
    let patch =
        json!({ "variants": [{ "id": product["variants"][0]["id"], "price": 52_000, "cost": 1, "barcode": "X1" }] });
    let reply = shop.call("PATCH", &path(&product)).json(&patch).version(&json!(1)).send().await;
    let patched = reply.expect(200);
    assert_eq!((&patched["variants"][0]["price"], &patched["variants"][0]["version"]), (&json!(52_000), &json!(2)));
    assert_eq!(patched["variants"][1], product["variants"][1]);
    assert_eq!(shop.count("select count(*) from price where product_version = 2").await, 1);
    let patch = json!({ "variants": [{ "id": product["variants"][0]["id"], "barcode": null, "is_default": true }] });
    let patched = shop.call("PATCH", &path(&product)).json(&patch).version(&json!(2)).send().await.expect(200);
    assert_eq!(patched["variants"][0]["barcode"], json!(null));
    assert_eq!(
        (&patched["variants"][0]["is_default"], &patched["variants"][1]["is_default"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn of_two_writers_of_one_version_one_wins_and_the_other_is_told() {
    let shop = shop::open().await;
    let product = shop.product(&shop.merchant().await, "Phở").await;
    let path = path(&product);
    let (one, two) = (json!({ "description": "one" }), json!({ "description": "two" }));
    let (one, two) = tokio::join!(
        shop.call("PATCH", &path).json(&one).version(&json!(1)).send(),
        shop.call("PATCH", &path).json(&two).version(&json!(1)).send(),
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    assert_eq!(shop.call("GET", &path).send().await.expect(200)["version"], 2);
}

#[tokio::test]
async fn a_deleted_product_goes_with_its_variants_and_comes_back_with_them() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let product = shop.product(&merchant, "Phở").await;
    let done = shop.call("DELETE", &path(&product)).version(&json!(1)).send().await.expect(200);
    assert_eq!((&done["outcome"], &done["cascaded"]), (&json!("DELETED"), &json!(2)));
    assert_eq!(shop.call("GET", &path(&product)).send().await.status, 404);
    let list = shop.call("GET", "/products?deleted=true").send().await.expect(200);
    assert_eq!((&list["items"][0]["id"], list["items"][0]["variants"].as_array().unwrap().len()), (&product["id"], 2));
    let restored =
        shop.call("POST", &format!("{}/restore", path(&product))).version(&json!(2)).send().await.expect(200);
    assert_eq!(restored["variants"].as_array().unwrap().len(), 2);
    // Its slug is free while it is deleted, and then a restore says what is in the way.
    shop.call("DELETE", &path(&product)).version(&json!(3)).send().await.expect(200);
    let heir = shop.product(&merchant, "Phở").await;
    assert_eq!(heir["slug"], product["slug"]);
    let refused = shop.call("POST", &format!("{}/restore", path(&product))).version(&json!(4)).send().await;
    refused.refused(409, "SLUG_TAKEN", &["/slug"]);
}

#[tokio::test]
async fn the_merchants_policy_decides_when_the_caller_does_not() {
    let shop = shop::open().await;
    let body = json!({ "name": "M", "industry": "RETAIL", "taxpayer": "ENTERPRISE", "deletion_policy": "ARCHIVE" });
    let merchant = text(&shop.create("/merchants", body).await["id"]);
    let product = shop.product(&merchant, "Phở").await;
    let done = shop.call("DELETE", &path(&product)).version(&json!(1)).send().await.expect(200);
    assert_eq!(done["outcome"], "ARCHIVED");
    let archived = shop.call("GET", &path(&product)).send().await.expect(200);
    assert_eq!((&archived["status"], &archived["version"]), (&json!("ARCHIVED"), &json!(2)));
    let done = shop.call("DELETE", &format!("{}?policy=RESTRICT", path(&product))).version(&json!(2)).send().await;
    assert_eq!(done.expect(200)["outcome"], "DELETED");
}

#[tokio::test]
async fn amounts_are_whole_dong_in_range() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    for price in ["-1", "9007199254740992", "1.5", "\"65000\"", "9223372036854775808", "null"] {
        let body = shop::product(&merchant, "Phở").to_string().replace("50000", price);
        let reply = shop.call("POST", "/products").bytes("application/json", body.into_bytes()).key("k").send().await;
        reply.refused(422, "INVALID", &["/variants/0/price"]);
    }
    let mut body = shop::product(&merchant, "Phở");
    body["variants"][0]["price"] = json!(9_007_199_254_740_991_i64);
    assert_eq!(shop.create("/products", body).await["variants"][0]["price"], 9_007_199_254_740_991_i64);
}
