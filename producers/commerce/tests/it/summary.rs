//! The footer summary: with Redis, without it, and for whom.

use platform::cache_key::merchant_footer;
use platform::redis::Cache;
use serde_json::json;

use crate::shop::{self, RIVAL};

fn redis() -> Cache {
    Cache::connect(bed::environment().get("APP_ENV_REDIS_URL").expect("the stack has a Redis")).unwrap()
}

#[tokio::test]
async fn a_summary_counts_what_is_for_sale_and_names_the_address() {
    let shop = shop::open().await;
    let body = json!({
        "name": "Giảng", "industry": "RETAIL", "taxpayer": "ENTERPRISE", "address_line": "39 Nguyễn Hữu Huân",
        "province_code": "01", "ward_code": "00004",
    });
    let merchant = shop::text(&shop.create("/merchants", body).await["id"]);
    shop.product(&merchant, "Phở").await;
    let mut draft = shop::product(&merchant, "Nháp");
    draft["status"] = json!("DRAFT");
    shop.create("/products", draft).await;
    let summary = shop.call("GET", &format!("/merchants/{merchant}/summary")).send().await.expect(200);
    assert_eq!(summary["address"], "39 Nguyễn Hữu Huân, Phường Ba Đình, Hà Nội");
    assert_eq!((&summary["products"], &summary["variants"], &summary["categories"]), (&json!(1), &json!(2), &json!(0)));
}

#[tokio::test]
async fn a_summary_is_kept_until_its_key_is_dropped_and_shown_to_nobody_else() {
    let shop = shop::open_with(redis(), 7).await;
    let merchant = shop.merchant().await;
    let path = format!("/merchants/{merchant}/summary");
    assert_eq!(shop.call("GET", &path).send().await.expect(200)["products"], 0);
    shop.product(&merchant, "Phở").await;
    assert_eq!(shop.call("GET", &path).send().await.expect(200)["products"], 0);
    shop.call("GET", &path).owner(RIVAL).send().await.refused(404, "NOT_FOUND", &[]);
    let key = merchant_footer(merchant.parse().unwrap());
    assert!(redis().forget(&[key]).await);
    assert_eq!(shop.call("GET", &path).send().await.expect(200)["products"], 1);
}

#[tokio::test]
async fn a_summary_needs_no_redis() {
    let shop = shop::open_with(Cache::connect("redis://127.0.0.1:1/0").unwrap(), 7).await;
    let merchant = shop.merchant().await;
    shop.call("GET", &format!("/merchants/{merchant}/summary")).send().await.expect(200);
}
