//! The search engine, asked directly.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::day::setting;
use crate::truth::Document;

fn ask(method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
    let (url, key) = (setting("APP_ENV_TYPESENSE_URL"), setting("APP_ENV_TYPESENSE_API_KEY"));
    let url = format!("{}{path}", url.trim_end_matches('/'));
    reqwest::Client::new().request(method, url).header("X-TYPESENSE-API-KEY", key)
}

/// Every document of a collection; none where it is not there yet.
pub(crate) async fn documents(collection: &str) -> BTreeMap<i64, Document> {
    let path = format!("/collections/{collection}/documents/export?include_fields=id,name,price_min");
    let answer = ask(reqwest::Method::GET, &path).send().await.unwrap();
    if !answer.status().is_success() {
        return BTreeMap::new();
    }
    let document = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let id = line["id"].as_str().unwrap().parse().unwrap();
        (id, (line["name"].as_str().unwrap().to_owned(), line["price_min"].as_i64()))
    };
    answer.text().await.unwrap().lines().map(document).collect()
}

/// Takes a collection out of the engine's memory.
pub(crate) async fn forget(collection: &str) {
    for path in [format!("/collections/{collection}_1"), format!("/aliases/{collection}")] {
        ask(reqwest::Method::DELETE, &path).send().await.ok();
    }
}
