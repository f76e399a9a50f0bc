//! Products into the search engine.

use backbone::eventually;
use backbone::process::Process;
use backbone::source::{self, commerce};

/// A request to the search engine itself.
pub(crate) fn ask(method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
    let environment = bed::environment();
    let url = environment.get("APP_ENV_TYPESENSE_URL").unwrap().trim_end_matches('/');
    let key = environment.get("APP_ENV_TYPESENSE_API_KEY").unwrap();
    reqwest::Client::new().request(method, format!("{url}{path}")).header("X-TYPESENSE-API-KEY", key)
}

/// How many documents of a merchant are found by these words.
pub(crate) async fn found(collection: &str, merchant_id: i64, words: &str) -> Option<i64> {
    let filter = format!("merchant_id:={merchant_id}");
    let query = [("q", words), ("query_by", "name,name_folded"), ("filter_by", &filter)];
    let path = format!("/collections/{collection}/documents/search");
    let answer: serde_json::Value =
        ask(reqwest::Method::GET, &path).query(&query).send().await.ok()?.json().await.ok()?;
    answer["found"].as_i64()
}

/// Takes a collection out of the engine's memory.
pub(crate) async fn forget(collection: &str) {
    for path in [format!("/collections/{collection}_1"), format!("/aliases/{collection}")] {
        ask(reqwest::Method::DELETE, &path).send().await.ok();
    }
}

#[tokio::test]
async fn a_product_is_found_with_and_without_its_diacritics_and_not_once_it_is_deleted() {
    platform::tls::install();
    let backbone = bed::database("backbone").await;
    let (group, collection) = (bed::unique("search-sync"), format!("{}x", bed::unique("products")));
    let consumer = Process::start(
        &["consume", "search-sync"],
        &[
            ("APP_ENV_KAFKA_GROUP", group.as_str()),
            ("APP_ENV_TYPESENSE_COLLECTION", &collection),
            ("BACKBONE__APP_ENV_DB_URL", &backbone.url),
        ],
    );
    let (commerce, merchant) = (commerce(), source::id());
    source::insert(&commerce, merchant, "Phở Thìn", None).await;
    let (product, _) = source::insert_product(&commerce, merchant, "Phở bò tái lăn").await;
    eventually("the product with its diacritics", Some(1), || found(&collection, merchant, "phở bò")).await;
    eventually("the product without", Some(1), || found(&collection, merchant, "pho bo")).await;
    sqlx::query("update product set deleted_at = now(), version = version + 1 where id = $1")
        .bind(product)
        .execute(&commerce)
        .await
        .unwrap();
    eventually("the product is gone", Some(0), || found(&collection, merchant, "phở bò")).await;
    consumer.kill().await;
    forget(&collection).await;
}
