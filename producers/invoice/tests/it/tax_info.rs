//! `GET /tax-info/{merchant}`

use axum::http::StatusCode;
use serde_json::json;

use crate::world;

#[tokio::test]
async fn tax_info_is_shown_as_the_consumer_wrote_it() {
    let service = world::start().await;
    let got = service.get_as_administrator("/tax-info/1111111111").await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(
        got.json(),
        json!({
            "merchant_id": "1111111111", "name": "Phở Thìn", "taxpayer": "HOUSEHOLD", "tax_code": "0100109106",
            "tax_name": "HKD Phở Thìn", "tax_address": null, "address_line": "13 Lò Đúc", "province_code": "01",
            "ward_code": "00004", "email": null, "phone": "0912345678", "updated_at": "2026-11-01T01:00:00Z",
        })
    );
    let other = service.get_as_administrator("/tax-info/2222222222").await.json();
    assert_eq!(other["taxpayer"], "ENTERPRISE");
}

#[tokio::test]
async fn a_merchant_that_is_not_there_answers_404_and_no_id_400() {
    let service = world::start().await;
    assert_eq!(service.get_as_administrator("/tax-info/3").await.status, StatusCode::NOT_FOUND);
    for id in ["x", "0", "-1", "1.0", "9223372036854775808", "%00", "01"] {
        let got = service.get_as_administrator(&format!("/tax-info/{id}")).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{id}: {}", got.text);
        assert_eq!(got.headers["content-type"], "application/problem+json");
    }
}
