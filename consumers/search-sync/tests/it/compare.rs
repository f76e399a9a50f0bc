//! Documents that were removed, changed and invented in the engine are found, and made again.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use runtime::Consumer as _;
use runtime::comparison::{Comparison, Kind};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::shop::{MERCHANT, Shop, merchant};

/// The shop's documents beside its products.
fn comparison(shop: &Shop) -> Box<dyn Comparison> {
    let pool = shop.commerce.pool.clone();
    shop.consumer.comparisons(&|_| Ok(pool.clone())).unwrap().remove(0)
}

/// How many products were compared, and what is wrong, by product.
async fn wrong(comparison: &dyn Comparison) -> (i64, BTreeMap<i64, Kind>) {
    let looked: Vec<_> = comparison.looks().try_collect().await.unwrap();
    let rows = looked.iter().map(|looked| looked.rows).sum();
    let all = looked.into_iter().flat_map(|looked| looked.wrong);
    (rows, all.map(|(product, contrast)| (product, contrast.kind)).collect())
}

impl Shop {
    /// Damages the engine's documents, past the consumer.
    async fn damage(&self, method: reqwest::Method, path: &str, body: &Value) {
        let url = format!("{}collections/{}/documents{path}", self.settings.url, self.settings.collection);
        let request = self.http.request(method, url).header("x-typesense-api-key", self.settings.key.expose_secret());
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
}

#[tokio::test]
async fn documents_removed_changed_and_invented_are_all_found_and_all_mended() {
    let shop = Shop::open().await;
    let other = MERCHANT + 100;
    shop.merchant(other, "Quán khác").await;
    let ids: Vec<i64> = (1..=60).map(|place| place * 10).collect();
    for id in &ids {
        shop.product_of(if id % 20 == 0 { MERCHANT } else { other }, *id, None, &format!("Món {id}"), 45_000).await;
    }
    shop.run("update product set deleted_at = now() where id = $1", &[600]).await;
    // numbers that Postgres, the engine and this program write in their own ways
    sqlx::query("update variant set attributes = $1::jsonb where id = 11")
        .bind(r#"{"z": 1.50, "a": [1, {"y": null, "b": 12345678901234567890123}], "e": 1e-7, "đ": "\u1edf"}"#)
        .execute(&shop.commerce.pool)
        .await
        .unwrap();
    shop.publish(&ids).await;
    let compared = comparison(&shop);
    assert_eq!(wrong(&*compared).await, (59, BTreeMap::new()));

    let mut invented = shop.document(30).await;
    invented["id"] = json!("7777");
    shop.damage(reqwest::Method::POST, "", &invented).await;
    // one of a product that was soft deleted
    invented["id"] = json!("600");
    shop.damage(reqwest::Method::POST, "", &invented).await;
    shop.damage(reqwest::Method::DELETE, "/50", &Value::Null).await;
    shop.damage(reqwest::Method::PATCH, "/70", &json!({ "price_min": 1 })).await;
    shop.damage(reqwest::Method::PATCH, "/80", &json!({ "variants": [] })).await;
    shop.damage(reqwest::Method::PATCH, "/90", &json!({ "merchant_id": MERCHANT })).await;
    shop.damage(reqwest::Method::PATCH, "/110", &json!({ "more": "than search-sync writes" })).await;
    shop.run("update product set name = 'Món mới', version = 2 where id = $1", &[120]).await;
    shop.run("update variant set price = 1, version = 2 where id = $1", &[131]).await;

    let expected = BTreeMap::from([
        (50, Kind::Missing),
        (70, Kind::Different),
        (80, Kind::Different),
        (90, Kind::Different),
        (110, Kind::Different),
        (120, Kind::Stale),
        (130, Kind::Different),
        (600, Kind::Extra),
        (7777, Kind::Extra),
    ]);
    assert_eq!(wrong(&*compared).await, (59, expected.clone()));
    let keys: Vec<i64> = expected.keys().copied().collect();
    let found = compared.keys(&keys).await.unwrap();
    assert_eq!(found[&70].shown.as_deref(), Some("price_min: 1"));
    assert_eq!(compared.mend(&keys).await.unwrap(), Some(9));
    assert_eq!(wrong(&*compared).await, (59, BTreeMap::new()));
    assert_eq!(shop.document(600).await, Value::Null);
    assert_eq!(shop.document(120).await["name"], "Món mới");
}

#[tokio::test]
async fn a_merchants_change_that_never_came_is_found_in_every_document() {
    let shop = Shop::open().await;
    let ids: Vec<i64> = (1..=30).map(|place| place * 10).collect();
    for id in &ids {
        shop.product(*id, &format!("Món {id}"), 45_000).await;
    }
    shop.publish(&ids).await;
    shop.run("update merchant set name = 'Quán Cô Tư', version = 2 where id = $1", &[MERCHANT]).await;
    let compared = comparison(&shop);
    assert_eq!(wrong(&*compared).await.1.len(), 30);
    shop.apply(vec![merchant(MERCHANT, 2)]).await;
    assert_eq!(wrong(&*compared).await, (30, BTreeMap::new()));
}

#[tokio::test]
async fn a_shop_without_products_and_without_a_collection_is_told_apart() {
    let shop = Shop::open().await;
    let compared = comparison(&shop);
    let looked: Result<Vec<_>, _> = compared.looks().try_collect().await;
    assert!(looked.is_err(), "nothing is there to be compared");
    shop.consumer.ensure_collection().await.unwrap();
    assert_eq!(wrong(&*compared).await, (0, BTreeMap::new()));
}
