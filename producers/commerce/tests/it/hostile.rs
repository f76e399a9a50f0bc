//! Requests that are wrong on purpose: each has a clear answer, none a 500.

use serde_json::json;

use crate::shop;

#[tokio::test]
async fn ids_that_are_none_answer_400_and_unknown_ones_404() {
    let shop = shop::open().await;
    for kind in ["merchants", "categories", "products", "integrations", "media"] {
        for id in ["abc", "0", "-1", "1.5", "9223372036854775808", "99999999999999999999", "%00", "1%20"] {
            let reply = shop.call("GET", &format!("/{kind}/{id}")).send().await;
            assert_eq!(reply.status, 400, "{kind}/{id}: {}", reply.text());
        }
        let reply = shop.call("GET", &format!("/{kind}/8999999999999999999")).send().await;
        reply.refused(404, "NOT_FOUND", &[]);
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_told_apart() {
    let shop = shop::open().await;
    let send = async |body: &[u8]| {
        shop.call("POST", "/categories").bytes("application/json", body.to_vec()).key("k").send().await
    };
    send(b"{").await.refused(400, "MALFORMED_JSON", &[]);
    send(b"{\"name\": \"\xff\"}").await.refused(400, "INVALID_UTF8", &[]);
    send(br#"{"merchant_id": 5, "name": "x"}"#).await.refused(422, "INVALID", &["/merchant_id"]);
    send(br#"{"merchant_id": "99999999999999999999", "name": "x"}"#).await.refused(422, "INVALID", &["/merchant_id"]);
    send(br#"{"merchant_id": "5", "name": "x", "position": 1.5}"#).await.refused(422, "INVALID", &["/position"]);
    send(br#"{"merchant_id": "5", "name": "x", "position": 3000000000}"#).await.refused(422, "INVALID", &["/position"]);
    send(br#"{"merchant_id": "5", "nam": "x"}"#).await.refused(422, "INVALID", &["/nam"]);
    send(b"{\"merchant_id\": \"5\", \"name\": \"a\\u0000b\"}").await.refused(422, "INVALID", &["/name"]);
    let huge = vec![b' '; 10 << 20];
    send(&huge).await.refused(413, "BODY_TOO_LARGE", &[]);
    let text = shop.call("POST", "/categories").bytes("text/plain", b"{}".to_vec()).key("k").send().await;
    assert_eq!(text.status, 415);
}

#[tokio::test]
async fn slugs_that_are_none_are_refused() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    for slug in ["", "Phở", "a b", "a--b", "-a", "../etc", &"a".repeat(121)] {
        let body = json!({ "merchant_id": merchant, "name": "x", "slug": slug });
        let reply = shop.call("POST", "/categories").json(&body).key("k").send().await;
        reply.refused(422, "INVALID", &["/slug"]);
    }
}

#[tokio::test]
async fn queries_that_are_wrong_answer_400() {
    let shop = shop::open().await;
    for path in [
        "/products?limit=0",
        "/products?limit=201",
        "/products?sort=price",
        "/products?merchant_id=x",
        "/products?status=active",
        "/products?deleted=maybe",
        "/merchants?name=%00",
        "/media?sort=",
    ] {
        let reply = shop.call("GET", path).send().await;
        assert_eq!(reply.status, 400, "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_role_without_a_policy_may_do_nothing() {
    let shop = shop::open().await;
    let reply = shop.call("GET", "/products").role(5, "STRANGER", &[]).send().await;
    reply.refused(403, "FORBIDDEN", &[]);
    shop.call("GET", "/products").anonymous().send().await.refused(401, "CREDENTIALS_REQUIRED", &[]);
}

#[tokio::test]
async fn provinces_and_wards_are_offered() {
    let shop = shop::open().await;
    let provinces = shop.call("GET", "/provinces").send().await.expect(200);
    assert_eq!(provinces.as_array().unwrap().len(), 34);
    let wards = shop.call("GET", "/provinces/01/wards").send().await.expect(200);
    assert_eq!(wards[0], json!({ "code": "00004", "province_code": "01", "name": "Phường Ba Đình" }));
    shop.call("GET", "/provinces/02/wards").send().await.refused(404, "NOT_FOUND", &[]);
}
