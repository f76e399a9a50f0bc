//! Media: what is taken, what is given back, and how much of it.

use serde_json::{Value, json};

use crate::shop::{self, Reply, Shop, text};

const BOUNDARY: &str = "----sluice";

fn png(length: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1A\n\x00\x00\x00\x0DIHDR".to_vec();
    bytes.extend((0..length.saturating_sub(bytes.len())).map(|index| u8::try_from(index % 251).unwrap()));
    bytes
}

fn form(field: &str, file_name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{file_name}\"\r\n\
         Content-Type: text/plain\r\n\r\n"
    )
    .into_bytes();
    body.extend(bytes);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    body
}

async fn upload(shop: &Shop, merchant: &str, bytes: &[u8], key: &str) -> Reply {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let path = format!("/media?merchant_id={merchant}");
    shop.call("POST", &path).bytes(&content_type, form("file", "phở.txt", bytes)).key(key).send().await
}

async fn uploaded(shop: &Shop, bytes: &[u8]) -> Value {
    upload(shop, &shop.merchant().await, bytes, "k").await.expect(201)
}

fn content(media: &Value) -> String {
    format!("/media/{}/content", text(&media["id"]))
}

/// Files in the storage's folder.
fn objects(shop: &Shop) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }
    count(shop.folder())
}

#[tokio::test]
async fn a_picture_is_known_by_its_bytes_and_given_back_whole() {
    let shop = shop::open().await;
    let bytes = png(5000);
    let media = uploaded(&shop, &bytes).await;
    assert_eq!((&media["content_type"], &media["size"]), (&json!("image/png"), &json!(5000)));
    assert_eq!(media["file_name"], "phở.txt");
    let got = shop.call("GET", &content(&media)).send().await;
    assert_eq!((got.status.as_u16(), got.header("content-type")), (200, "image/png"));
    assert_eq!(got.header("x-content-type-options"), "nosniff");
    assert_eq!(got.header("content-length"), "5000");
    assert_eq!(got.bytes, bytes);
    let known = shop.call("GET", &content(&media)).header("if-none-match", got.header("etag")).send().await;
    assert_eq!((known.status.as_u16(), known.bytes.len()), (304, 0));
}

#[tokio::test]
async fn a_range_is_given_back_and_one_beyond_the_end_is_refused() {
    let shop = shop::open().await;
    let bytes = png(1000);
    let media = uploaded(&shop, &bytes).await;
    for (range, expected, answered) in [
        ("bytes=0-99", &bytes[..100], "bytes 0-99/1000"),
        ("bytes=900-", &bytes[900..], "bytes 900-999/1000"),
        ("bytes=-1", &bytes[999..], "bytes 999-999/1000"),
    ] {
        let got = shop.call("GET", &content(&media)).header("range", range).send().await;
        assert_eq!((got.status.as_u16(), got.header("content-range")), (206, answered));
        assert_eq!(got.bytes, expected);
    }
    let beyond = shop.call("GET", &content(&media)).header("range", "bytes=1000-").send().await;
    assert_eq!(beyond.header("content-range"), "bytes */1000");
    beyond.refused(416, "RANGE_NOT_SATISFIABLE", &[]);
    let changed =
        shop.call("GET", &content(&media)).header("range", "bytes=0-1").header("if-range", "\"x\"").send().await;
    assert_eq!((changed.status.as_u16(), changed.bytes.len()), (200, 1000));
}

#[tokio::test]
async fn what_is_no_picture_is_refused_whatever_it_is_called() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    for bytes in [&b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"[..], b"", b"MZ\x90"] {
        upload(&shop, &merchant, bytes, "k").await.refused(422, "INVALID", &["/file"]);
    }
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let path = format!("/media?merchant_id={merchant}");
    let wrong = shop.call("POST", &path).bytes(&content_type, form("other", "a.png", &png(50))).key("k").send().await;
    wrong.refused(422, "INVALID", &["/file"]);
    let cut = form("file", "a.png", &png(500))[..200].to_vec();
    shop.call("POST", &path).bytes(&content_type, cut).key("k").send().await.refused(400, "MALFORMED_FORM", &[]);
    let json = shop.call("POST", &path).json(&json!({})).key("k").send().await;
    assert_eq!(json.status, 415);
    assert_eq!(objects(&shop), 0);
}

#[tokio::test]
async fn a_picture_of_ten_mebibytes_is_taken_and_one_byte_more_is_not() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    upload(&shop, &merchant, &png(10 << 20), "a").await.expect(201);
    upload(&shop, &merchant, &png((10 << 20) + 1), "b").await.refused(413, "BODY_TOO_LARGE", &[]);
    upload(&shop, &merchant, &png(12 << 20), "c").await.refused(413, "BODY_TOO_LARGE", &[]);
    assert_eq!(objects(&shop), 1);
}

#[tokio::test]
async fn a_repeated_upload_stores_one_object_and_another_body_is_refused() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let first = upload(&shop, &merchant, &png(500), "k").await;
    let again = upload(&shop, &merchant, &png(500), "k").await;
    assert_eq!((first.expect(201), objects(&shop)), (again.expect(201), 1));
    upload(&shop, &merchant, &png(501), "k").await.refused(422, "IDEMPOTENCY_KEY_REUSED", &[]);
    assert_eq!(objects(&shop), 1);
}

#[tokio::test]
async fn a_picture_that_a_product_shows_is_not_deleted() {
    let shop = shop::open().await;
    let merchant = shop.merchant().await;
    let media = upload(&shop, &merchant, &png(500), "k").await.expect(201);
    let mut body = shop::product(&merchant, "Phở");
    body["image_id"] = media["id"].clone();
    let product = shop.create("/products", body).await;
    let path = format!("/media/{}", text(&media["id"]));
    let refused = shop.call("DELETE", &path).version(&json!(1)).send().await;
    refused.refused(409, "IN_USE", &[]);
    assert_eq!(refused.json()["dependents"][0]["ids"], json!([product["id"]]));
    let product_path = format!("/products/{}", text(&product["id"]));
    shop.call("PATCH", &product_path).json(&json!({ "image_id": null })).version(&json!(1)).send().await.expect(200);
    shop.call("DELETE", &path).version(&json!(1)).send().await.expect(200);
    assert_eq!(shop.call("GET", &content(&media)).send().await.status, 404);
    shop.call("POST", &format!("{path}/restore")).version(&json!(2)).send().await.expect(200);
    assert_eq!(shop.call("GET", &content(&media)).send().await.bytes, png(500));
    let list = shop.call("GET", &format!("/media?merchant_id={merchant}&sort=name")).send().await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_document_calls_a_pictures_bytes_binary() {
    let shop = shop::open().await;
    let document = shop.call("GET", "/doc/openapi.json").send().await.expect(200);
    let operation = &document["paths"]["/v1/api/commerce/media/{media_id}/content"]["get"];
    let schema = &operation["responses"]["200"]["content"]["image/*"]["schema"];
    let named = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    let schema = named.unwrap_or(schema);
    assert_eq!((&schema["type"], &schema["format"]), (&"string".into(), &"binary".into()), "{operation}");
}
