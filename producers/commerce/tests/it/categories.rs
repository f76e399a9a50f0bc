//! Categories: the tree, slugs, deleting and restoring.

use serde_json::{Value, json};

use crate::shop::{self, Shop, text};

async fn category(shop: &Shop, merchant: &str, name: &str, parent: Option<&Value>) -> Value {
    shop.create(
        "/categories",
        json!({ "merchant_id": merchant, "name": name, "parent_id": parent.map(|parent| &parent["id"]) }),
    )
    .await
}

fn path(category: &Value) -> String {
    format!("/categories/{}", text(&category["id"]))
}

#[tokio::test]
async fn a_slug_is_made_from_the_vietnamese_name_and_made_different_when_taken() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let one = category(&shop, &merchant, "Đồ uống có cồn", None).await;
    let two = category(&shop, &merchant, "Đồ uống có cồn", None).await;
    assert_eq!(one["slug"], "do-uong-co-con");
    assert!(text(&two["slug"]).starts_with("do-uong-co-con-"), "{two}");
}

#[tokio::test]
async fn a_slug_that_was_given_and_is_taken_answers_409_with_its_field() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let one = category(&shop, &merchant, "Bún", None).await;
    let body = json!({ "merchant_id": merchant, "name": "Other", "slug": "bun" });
    let reply = shop.call("POST", "/categories").json(&body).key("k").send().await;
    reply.refused(409, "SLUG_TAKEN", &["/slug"]);
    // Not in another merchant, and not when the one that had it is deleted.
    let other = shop.merchant().await;
    category(&shop, &other, "Bún", None).await;
    shop.call("DELETE", &path(&one)).version(&json!(1)).send().await.expect(200);
    shop.create("/categories", body).await;
    let back = shop.call("POST", &format!("{}/restore", path(&one))).version(&json!(2)).send().await;
    back.refused(409, "SLUG_TAKEN", &["/slug"]);
}

#[tokio::test]
async fn a_category_moves_but_never_into_itself() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let top = category(&shop, &merchant, "Top", None).await;
    let middle = category(&shop, &merchant, "Middle", Some(&top)).await;
    let bottom = category(&shop, &merchant, "Bottom", Some(&middle)).await;
    for below in [&top, &middle, &bottom] {
        let body = json!({ "parent_id": below["id"] });
        let reply = shop.call("PATCH", &path(&top)).json(&body).version(&json!(1)).send().await;
        reply.refused(422, "INVALID", &["/parent_id"]);
        assert_eq!(reply.json()["errors"][0]["code"], "CATEGORY_CYCLE");
    }
    let moved = shop.call("PATCH", &path(&bottom)).json(&json!({ "parent_id": null })).version(&json!(1)).send().await;
    assert_eq!(moved.expect(200)["parent_id"], json!(null));
    let back =
        shop.call("PATCH", &path(&top)).json(&json!({ "parent_id": bottom["id"] })).version(&json!(1)).send().await;
    assert_eq!(back.expect(200)["parent_id"], bottom["id"]);
}

#[tokio::test]
async fn two_moves_at_once_never_make_a_cycle_together() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    for round in 0..8 {
        let one = category(&shop, &merchant, &format!("One {round}"), None).await;
        let two = category(&shop, &merchant, &format!("Two {round}"), None).await;
        let (into_two, into_one) = (json!({ "parent_id": two["id"] }), json!({ "parent_id": one["id"] }));
        let (one_path, two_path) = (path(&one), path(&two));
        let (first, second) = tokio::join!(
            shop.call("PATCH", &one_path).json(&into_two).version(&json!(1)).send(),
            shop.call("PATCH", &two_path).json(&into_one).version(&json!(1)).send(),
        );
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422], "{} {}", first.text(), second.text());
    }
}

#[tokio::test]
async fn a_parent_of_another_merchant_or_a_deleted_one_is_no_parent() {
    let shop = shop::open().await;
    let (merchant, other) = (shop.merchant().await, shop.merchant().await);
    let foreign = category(&shop, &other, "Foreign", None).await;
    let deleted = category(&shop, &merchant, "Deleted", None).await;
    shop.call("DELETE", &path(&deleted)).version(&json!(1)).send().await.expect(200);
    for parent in [&foreign["id"], &deleted["id"], &json!("12345")] {
        let body = json!({ "merchant_id": merchant, "name": "New", "parent_id": parent });
        let reply = shop.call("POST", "/categories").json(&body).key("k").send().await;
        reply.refused(422, "INVALID", &["/parent_id"]);
    }
}

#[tokio::test]
async fn a_tree_has_eight_levels_at_most() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let mut parent = category(&shop, &merchant, "Level 1", None).await;
    for level in 2..=8 {
        parent = category(&shop, &merchant, &format!("Level {level}"), Some(&parent)).await;
    }
    let body = json!({ "merchant_id": merchant, "name": "Level 9", "parent_id": parent["id"] });
    shop.call("POST", "/categories").json(&body).key("k").send().await.refused(422, "INVALID", &["/parent_id"]);
}

#[tokio::test]
async fn deleting_says_what_is_in_it_and_a_cascade_is_undone_by_a_restore() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let top = category(&shop, &merchant, "Top", None).await;
    let below = category(&shop, &merchant, "Below", Some(&top)).await;
    let mut product = shop::product(&merchant, "Phở");
    product["category_id"] = below["id"].clone();
    let product = shop.create("/products", product).await;
    let refused = shop.call("DELETE", &path(&top)).version(&json!(1)).send().await;
    refused.refused(409, "IN_USE", &[]);
    assert_eq!(refused.json()["dependents"], json!([{ "kind": "category", "count": 1, "ids": [below["id"]] }]));
    let archive = shop.call("DELETE", &format!("{}?policy=ARCHIVE", path(&top))).version(&json!(1)).send().await;
    archive.refused(422, "INVALID", &["policy"]);
    let done = shop.call("DELETE", &format!("{}?policy=CASCADE", path(&top))).version(&json!(1)).send().await;
    assert_eq!(done.expect(200)["cascaded"], 4); // the category below, its product, two variants
    let product_path = format!("/products/{}", text(&product["id"]));
    assert_eq!(shop.call("GET", &product_path).send().await.status, 404);
    // A part of it cannot come back before the whole.
    let early = shop.call("POST", &format!("{product_path}/restore")).version(&json!(2)).send().await;
    early.refused(409, "CATEGORY_DELETED", &["/category_id"]);
    let early = shop.call("POST", &format!("{}/restore", path(&below))).version(&json!(2)).send().await;
    early.refused(422, "INVALID", &["/parent_id"]);
    shop.call("POST", &format!("{}/restore", path(&top))).version(&json!(2)).send().await.expect(200);
    assert_eq!(shop.call("GET", &path(&below)).send().await.status, 200);
    assert_eq!(shop.call("GET", &product_path).send().await.expect(200)["variants"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_product_is_never_left_in_a_category_that_was_deleted_meanwhile() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    for round in 0..8 {
        let category = category(&shop, &merchant, &format!("Round {round}"), None).await;
        let mut product = shop::product(&merchant, "Phở");
        product["category_id"] = category["id"].clone();
        let (key, category_path) = (bed::unique("key"), path(&category));
        let (created, deleted) = tokio::join!(
            shop.call("POST", "/products").json(&product).key(&key).send(),
            shop.call("DELETE", &category_path).version(&json!(1)).send(),
        );
        let statuses = (created.status.as_u16(), deleted.status.as_u16());
        assert!(matches!(statuses, (201, 409) | (422, 200)), "{statuses:?}");
    }
    let stray = "select count(*) from product p join category c on c.id = p.category_id where c.deleted_at is not null and p.deleted_at is null";
    assert_eq!(shop.count(stray).await, 0);
}
