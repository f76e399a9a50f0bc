//! Whatever comes in gets a clear answer.

use reqwest::Method;

use crate::service::{json, new_widget, refused, start};

#[tokio::test]
async fn bad_bodies_answer_what_is_wrong_with_them() {
    let service = start().await;
    let with = |name: &str, value: serde_json::Value| {
        let mut widget = new_widget("pho");
        widget[name] = value;
        widget.to_string().into_bytes()
    };
    for (body, status, code, pointer) in [
        (b"{".to_vec(), 400, "MALFORMED_JSON", None),
        (Vec::new(), 400, "MALFORMED_JSON", None),
        (b"{\"name\": \"\xff\xfe\"}".to_vec(), 400, "INVALID_UTF8", None),
        (br#"["5", "Widget", "pho", 1]"#.to_vec(), 422, "INVALID", Some("")),
        (with("price", 1.5.into()), 422, "INVALID", Some("/price")),
        (with("price", 1.0.into()), 422, "INVALID", Some("/price")),
        (with("price", "1".into()), 422, "INVALID", Some("/price")),
        (with("price", (-1).into()), 422, "INVALID", Some("/price")),
        (with("name", "".into()), 422, "INVALID", Some("/name")),
        (with("name", "a\0b".into()), 422, "INVALID", Some("/name")),
        (with("slug", "bún-bò".into()), 422, "INVALID", Some("/slug")),
        (with("merchant_id", 5.into()), 422, "INVALID", Some("/merchant_id")),
        (with("merchant_id", "9223372036854775808".into()), 422, "INVALID", Some("/merchant_id")),
        (with("colour", "red".into()), 422, "INVALID", Some("/colour")),
    ] {
        let request = service.ask(Method::POST, "/widgets").header("idempotency-key", "k");
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        let problem = refused(answer, status, code).await;
        assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{problem}");
    }
    assert_eq!(service.count().await, 0);
}

#[tokio::test]
async fn a_body_of_10_mb_answers_413_and_another_content_type_415() {
    let service = start().await;
    let request = || service.ask(Method::POST, "/widgets").header("idempotency-key", "k");
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(10 << 20));
    let answer = request().header("content-type", "application/json").body(large.clone()).send().await.unwrap();
    refused(answer, 413, "BODY_TOO_LARGE").await;
    let chunks: Vec<Result<_, std::io::Error>> =
        large.into_bytes().chunks(1 << 16).map(|chunk| Ok(chunk.to_vec())).collect();
    let streamed = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    let answer = request().header("content-type", "application/json").body(streamed).send().await.unwrap();
    refused(answer, 413, "BODY_TOO_LARGE").await;
    refused(
        request().header("content-type", "text/xml").body("<a/>").send().await.unwrap(),
        415,
        "UNSUPPORTED_MEDIA_TYPE",
    )
    .await;
    refused(request().body("{}").send().await.unwrap(), 415, "UNSUPPORTED_MEDIA_TYPE").await;
}

#[tokio::test]
async fn bad_paths_and_queries_answer_4xx() {
    let service = start().await;
    for (path, status, code) in [
        ("/widgets/abc", 400, "MALFORMED_PARAMETER"),
        ("/widgets/0", 400, "MALFORMED_PARAMETER"),
        ("/widgets/-1", 400, "MALFORMED_PARAMETER"),
        ("/widgets/9223372036854775808", 400, "MALFORMED_PARAMETER"),
        ("/widgets/99999999999999999999999999", 400, "MALFORMED_PARAMETER"),
        ("/widgets/%ff", 400, "MALFORMED_PARAMETER"),
        ("/widgets/8999999999999999999", 404, "NOT_FOUND"),
        ("/widgets?limit=0", 400, "MALFORMED_PARAMETER"),
        ("/widgets?limit=201", 400, "MALFORMED_PARAMETER"),
        ("/widgets?cursor=abc", 400, "BAD_CURSOR"),
        ("/widgets?merchant_id=x", 400, "MALFORMED_PARAMETER"),
        ("/nothing", 404, "NO_SUCH_PATH"),
    ] {
        refused(service.ask(Method::GET, path).send().await.unwrap(), status, code).await;
    }
}

#[tokio::test]
async fn another_method_answers_405_and_says_which_are_allowed() {
    let service = start().await;
    let answer = service.ask(Method::DELETE, "/widgets").send().await.unwrap();
    let allow = answer.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    refused(answer, 405, "METHOD_NOT_ALLOWED").await;
}

#[tokio::test]
async fn a_request_id_is_returned_and_a_bad_one_replaced() {
    let service = start().await;
    let given = service.ask(Method::GET, "/widgets").header("x-request-id", "till-7").send().await.unwrap();
    assert_eq!(given.headers()["x-request-id"], "till-7");
    assert!(json(given).await["items"].is_array());
    let bad = service.ask(Method::GET, "/widgets").header("x-request-id", "a b").send().await.unwrap();
    assert_eq!(bad.headers()["x-request-id"].len(), 32);
}
