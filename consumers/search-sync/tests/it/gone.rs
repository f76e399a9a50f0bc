//! What is gone from the source is gone from the index.

use schemas::commerce::{product::Product, variant::Variant};
use serde_json::Value;

use crate::shop::{MERCHANT, Shop, deleted, merchant, product, variant};

#[tokio::test]
async fn a_soft_deleted_product_is_removed_and_a_restored_one_is_back() {
    let shop = Shop::open().await;
    shop.product(100, "Phở bò", 45_000).await;
    shop.publish(&[100]).await;
    shop.run("update product set deleted_at = now(), version = 2 where id = $1", &[100]).await;
    let outcome = shop.apply(vec![product(100, 2)]).await;
    assert_eq!(outcome.entities("removed"), 1);
    assert_eq!(shop.document(100).await, Value::Null);
    shop.run("update product set deleted_at = null, version = 3 where id = $1", &[100]).await;
    shop.apply(vec![product(100, 3)]).await;
    assert_eq!(shop.document(100).await["name"], "Phở bò");
}

#[tokio::test]
async fn a_variant_that_is_gone_leaves_its_products_document_however_it_went() {
    let shop = Shop::open().await;
    shop.product(100, "Phở bò", 45_000).await;
    shop.variant(MERCHANT, 102, 100, 60_000).await;
    shop.variant(MERCHANT, 103, 100, 70_000).await;
    shop.publish(&[100]).await;
    shop.run("update variant set deleted_at = now(), version = 2 where id = $1", &[103]).await;
    shop.apply(vec![variant(103, 100, 2)]).await;
    assert_eq!(shop.document(100).await["price_max"], 60_000);
    // Only the document knows which product a row belonged to that was deleted from its table.
    shop.run("delete from variant where id = $1", &[102]).await;
    shop.apply(vec![deleted::<Variant>(102)]).await;
    assert_eq!(shop.document(100).await["price_max"], 45_000);
}

#[tokio::test]
async fn rows_deleted_from_their_table_are_removed_by_the_hundred() {
    let shop = Shop::open().await;
    let ids: Vec<i64> = (1..=400).map(|place| place * 10).collect();
    for id in &ids {
        shop.product(*id, &format!("Món {id}"), 45_000).await;
    }
    let outcome = shop.publish(&ids).await;
    assert_eq!(outcome.entities("imported"), 400);
    shop.run("delete from variant where merchant_id = $1", &[MERCHANT]).await;
    shop.run("delete from product where merchant_id = $1", &[MERCHANT]).await;
    let outcome = shop.apply(ids.iter().map(|id| deleted::<Product>(*id)).collect()).await;
    assert_eq!(outcome.entities("removed"), 400);
    assert_eq!(shop.search("*", "", "").await["found"], 0);
}

#[tokio::test]
async fn a_deleted_merchant_takes_its_products_out_of_the_index() {
    let shop = Shop::open().await;
    shop.merchant(9, "Quán khác").await;
    shop.product(100, "Phở bò", 45_000).await;
    shop.product_of(9, 200, None, "Phở gà", 45_000).await;
    shop.publish(&[100, 200]).await;
    shop.run("update merchant set deleted_at = now(), version = 2 where id = $1", &[MERCHANT]).await;
    shop.apply(vec![merchant(MERCHANT, 2)]).await;
    assert_eq!(shop.names("*", "").await, ["Phở gà"]);
}
