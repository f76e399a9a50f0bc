//! Provider integrations: sealed, masked, entered again, sealed again.

use std::sync::Arc;

use platform::redis::Cache;
use platform::sealing::Place;
use serde_json::{Value, json};

use crate::shop::{self, Shop, text};

const SECRET: &str = "sk_live_0123456789abcdef";

fn body(merchant: &str) -> Value {
    json!({
        "merchant_id": merchant, "group": "PAYMENT", "code": "sepay", "name": "SePay",
        "settings": { "account": "0011009950446" }, "credential": { "api_key": SECRET, "pin": "q7!" },
    })
}

fn path(integration: &Value) -> String {
    format!("/integrations/{}", text(&integration["id"]))
}

async fn sealed(shop: &Shop, integration: &Value) -> Vec<u8> {
    sqlx::query_scalar("select credential_sealed from integration where id = $1")
        .bind(text(&integration["id"]).parse::<i64>().unwrap())
        .fetch_one(&shop.database.pool)
        .await
        .unwrap()
}

fn place(integration: &Value) -> Place<'static> {
    Place { table: "public.integration", row: text(&integration["id"]).parse().unwrap(), column: "credential_sealed" }
}

#[tokio::test]
async fn a_credential_goes_in_and_only_its_mask_comes_out() {
    let shop = shop::open().await;
    let created = shop.create("/integrations", body(&shop.merchant().await)).await;
    assert_eq!(created["credential_hint"], "api_key ••••cdef, pin ••••");
    for answer in [
        shop.call("GET", &path(&created)).send().await,
        shop.call("GET", "/integrations").send().await,
        shop.call("PATCH", &path(&created)).json(&json!({ "status": "INACTIVE" })).version(&json!(1)).send().await,
    ] {
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("sk_live") && !answer.text().contains("q7!"), "{}", answer.text());
    }
    let stored = sealed(&shop, &created).await;
    let opened = shop.commerce.keyring.open(place(&created), &stored).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&opened).unwrap()["api_key"], SECRET);
    let kept = shop.count("select count(*) from idempotency_key where position('sk_live'::bytea in body) > 0").await;
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn settings_keep_the_largest_numbers_that_json_writers_send() {
    let shop = shop::open().await;
    let mut body = body(&shop.merchant().await);
    body["settings"] =
        json!({ "lowest": f64::MIN, "highest": f64::MAX, "smallest": f64::MIN_POSITIVE, "whole": u64::MAX });
    let created = shop.create("/integrations", body.clone()).await;
    let seen = shop.call("GET", &path(&created)).send().await.expect(200);
    for name in ["lowest", "highest", "smallest"] {
        assert_eq!(seen["settings"][name].as_f64(), body["settings"][name].as_f64(), "{name}");
    }
    assert_eq!(seen["settings"]["whole"], body["settings"]["whole"]);
}

#[tokio::test]
async fn a_credential_entered_wrong_is_entered_again() {
    let shop = shop::open().await;
    let created = shop.create("/integrations", body(&shop.merchant().await)).await;
    let again = json!({ "credential": { "api_key": "sk_live_fedcba9876543210" } });
    let path = format!("{}/credential", path(&created));
    let entered = shop.call("PUT", &path).json(&again).version(&json!(1)).send().await.expect(200);
    assert_eq!((&entered["credential_hint"], &entered["version"]), (&json!("api_key ••••3210"), &json!(2)));
    shop.call("PUT", &path).json(&again).version(&json!(1)).send().await.refused(412, "VERSION_MISMATCH", &[]);
    let empty = shop.call("PUT", &path).json(&json!({ "credential": {} })).version(&json!(2)).send().await;
    empty.refused(422, "INVALID", &["/credential"]);
}

#[tokio::test]
async fn a_code_is_unique_in_merchant_and_group_until_it_is_deleted() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let created = shop.create("/integrations", body(&merchant)).await;
    let taken = shop.call("POST", "/integrations").json(&body(&merchant)).key("k").send().await;
    taken.refused(409, "CODE_TAKEN", &["/code"]);
    shop.call("DELETE", &path(&created)).version(&json!(1)).send().await.expect(200);
    assert_eq!(shop.call("GET", &path(&created)).send().await.status, 404);
    let heir = shop.create("/integrations", body(&merchant)).await;
    let back = shop.call("POST", &format!("{}/restore", path(&created))).version(&json!(2)).send().await;
    back.refused(409, "CODE_TAKEN", &["/code"]);
    shop.call("DELETE", &path(&heir)).version(&json!(1)).send().await.expect(200);
    let back = shop.call("POST", &format!("{}/restore", path(&created))).version(&json!(2)).send().await.expect(200);
    assert_eq!(back["credential_hint"], created["credential_hint"]);
}

#[tokio::test]
async fn after_a_rotation_credentials_are_sealed_again_and_the_old_key_can_go() {
    let mut shop = shop::open_with(Cache::none(), 1).await;
    let created = shop.create("/integrations", body(&shop.merchant().await)).await;
    shop.commerce.keyring = Arc::new(shop::keyring(2, &[1]));
    shop.router = commerce::router(&shop.kit, shop.commerce.clone());
    shop.call("POST", "/integrations/reseal").send().await.refused(403, "FORBIDDEN", &[]);
    let admin = |shop: &Shop| shop.issuer.token(1, &["ADMIN"], &[]);
    let bearer = format!("Bearer {}", admin(&shop));
    let done =
        shop.call("POST", "/integrations/reseal").header("authorization", bearer.clone()).send().await.expect(200);
    assert_eq!((&done["renewed"], &done["failed"]), (&json!(1), &json!(0)));
    let stored = sealed(&shop, &created).await;
    assert!(shop::keyring(2, &[]).open(place(&created), &stored).is_ok());
    let read = shop.call("GET", &path(&created)).send().await.expect(200);
    assert_eq!((&read["version"], &read["credential_key_id"]), (&json!(1), &done["key_id"]));
    let done = shop.call("POST", "/integrations/reseal").header("authorization", bearer).send().await.expect(200);
    assert_eq!((&done["renewed"], &done["failed"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn what_no_key_opens_is_counted_and_left_as_it_is() {
    let mut shop = shop::open_with(Cache::none(), 1).await;
    let created = shop.create("/integrations", body(&shop.merchant().await)).await;
    let before = sealed(&shop, &created).await;
    shop.commerce.keyring = Arc::new(shop::keyring(2, &[]));
    shop.router = commerce::router(&shop.kit, shop.commerce.clone());
    let reply = shop.call("POST", "/integrations/reseal").role(1, "ADMIN", &[]).send().await.expect(200);
    assert_eq!((&reply["renewed"], &reply["failed"]), (&json!(0), &json!(1)));
    assert_eq!(sealed(&shop, &created).await, before);
}
