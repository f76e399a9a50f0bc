//! Changes of merchants and categories reach their products.

use runtime::Consumer as _;

use crate::shop::{CATEGORY, MERCHANT, Shop, category, merchant, product};

#[tokio::test]
async fn a_renamed_or_suspended_merchant_is_seen_in_all_its_products() {
    let shop = Shop::open().await;
    for id in [100, 110, 120] {
        shop.product(id, &format!("Món {id}"), 45_000).await;
    }
    shop.publish(&[100, 110, 120]).await;
    shop.run("update merchant set name = 'Quán Cô Tư', status = 'SUSPENDED', version = 2 where id = $1", &[MERCHANT])
        .await;
    let outcome = shop.apply(vec![merchant(MERCHANT, 2)]).await;
    assert_eq!(outcome.entities("imported"), 3);
    assert_eq!(shop.names("*", "merchant_status:=SUSPENDED").await.len(), 3);
    assert_eq!(shop.document(110).await["merchant_name"], "Quán Cô Tư");
}

#[tokio::test]
async fn a_product_that_was_read_with_its_merchant_as_it_is_costs_no_import() {
    let shop = Shop::open().await;
    shop.product(90, "Món 90", 45_000).await;
    shop.product(100, "Món 100", 45_000).await;
    shop.publish(&[90]).await;
    shop.publish(&[100]).await;
    let outcome = shop.apply(vec![merchant(MERCHANT, 1), category(CATEGORY, 1)]).await;
    assert_eq!((outcome.entities("imported"), outcome.entities("already-current")), (0, 4));
    shop.run("update merchant set name = 'Quán Cô Tư', version = 2 where id = $1", &[MERCHANT]).await;
    let outcome = shop.apply(vec![merchant(MERCHANT, 2)]).await;
    assert_eq!(outcome.entities("imported"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_merchant_that_changes_while_its_products_are_read_is_seen_in_all_of_them() {
    let shop = Shop::open().await;
    let ids: Vec<i64> = (10..=60).map(|place| place * 10).collect();
    for id in &ids {
        shop.product(*id, &format!("Món {id}"), 45_000).await;
    }
    for version in 2..=20 {
        let rename = "update merchant set name = 'Quán ' || $2::bigint, version = $2 where id = $1";
        let touch = "update product set version = $2 where merchant_id = $1";
        let products = ids.chunks(10).map(|part| shop.apply(part.iter().map(|id| product(*id, version - 1)).collect()));
        tokio::join!(futures::future::join_all(products), async {
            shop.run(rename, &[MERCHANT, version]).await;
            shop.apply(vec![merchant(MERCHANT, version)]).await;
        },);
        for id in &ids {
            assert_eq!(shop.document(*id).await["merchant_name"], format!("Quán {version}"), "{id}");
        }
        shop.run(touch, &[MERCHANT, version]).await;
    }
}

#[tokio::test]
async fn a_merchant_with_more_products_than_a_page_is_followed_to_the_end() {
    let shop = Shop::open().await;
    sqlx::query(
        "insert into product (id, merchant_id, kind, name, slug, description, status, industry_group, vat_class,
                              created_by, version, created_at, updated_at)
         select i, $1, 'RETAIL', 'Hàng ' || i, i::text, '', 'ACTIVE', 'GOODS', 'STANDARD', 1, 1, now(), now()
           from generate_series(1000, 3499) i",
    )
    .bind(MERCHANT)
    .execute(&shop.commerce.pool)
    .await
    .unwrap();
    let outcome = shop.apply(vec![merchant(MERCHANT, 1)]).await;
    assert_eq!(outcome.entities("imported"), 2_500);
    assert_eq!(shop.search("*", "", "").await["found"], 2_500);
}

#[tokio::test]
async fn a_category_that_is_renamed_moved_or_deleted_is_seen_in_what_is_below_it() {
    let shop = Shop::open().await;
    shop.category(50, Some(CATEGORY), "Phở").await;
    shop.category(51, Some(50), "Phở bò").await;
    shop.category(60, None, "Đồ uống").await;
    shop.product_of(MERCHANT, 100, Some(51), "Phở tái", 45_000).await;
    shop.product_of(MERCHANT, 110, Some(60), "Trà đá", 5_000).await;
    shop.publish(&[100, 110]).await;
    assert_eq!(shop.document(100).await["category_names"], serde_json::json!(["Phở bò", "Phở", "Món nước"]));

    shop.run("update category set name = 'Phở Bắc', version = 2 where id = $1", &[50]).await;
    let outcome = shop.apply(vec![category(50, 2)]).await;
    assert_eq!(outcome.entities("imported"), 1);
    assert_eq!(shop.document(100).await["category_names"], serde_json::json!(["Phở bò", "Phở Bắc", "Món nước"]));

    shop.run("update category set parent_id = 60, version = 3 where id = $1", &[50]).await;
    shop.apply(vec![category(50, 3)]).await;
    assert_eq!(shop.document(100).await["category_ids"], serde_json::json!([51, 50, 60]));

    shop.run("update category set deleted_at = now(), version = 2 where id = $1", &[51]).await;
    shop.apply(vec![category(51, 2)]).await;
    assert_eq!(shop.document(100).await["category_ids"], serde_json::json!([]));
    assert_eq!(shop.names("tra", "").await, ["Trà đá"]);
}

#[tokio::test]
async fn documents_that_do_not_fit_into_one_request_go_in_several() {
    let shop = Shop::open().await;
    let ids: Vec<i64> = (1..=30).map(|place| place * 10).collect();
    for id in &ids {
        shop.product(*id, &format!("Món {id}"), 45_000).await;
    }
    let worker = shop.worker(&search_sync::Settings { import_bytes: 4_000, ..shop.settings.clone() });
    let changes = ids.iter().map(|id| crate::shop::product(*id, 1)).collect();
    let outcome = worker.apply(&crate::shop::batch(&worker, changes, None)).await.unwrap();
    assert_eq!(outcome.entities("imported"), 30);
    assert_eq!(shop.search("*", "", "").await["found"], 30);
}
