//! Search: what is found, by whom, and what happens when the engine is not there.

use commerce::search::{self, Engine, EngineSettings};
use platform::config::Reader;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::shop::{self, OWNER, RIVAL, Shop, text};

/// What `search-sync` reads and writes, so that neither can change alone.
fn contract(file: &str) -> Value {
    let path = format!("{}/../../consumers/search-sync/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A collection of one test's own.
struct Index {
    settings: EngineSettings,
    http: reqwest::Client,
}

impl Index {
    async fn make() -> Self {
        platform::tls::install();
        let environment = bed::environment();
        let mut reader = Reader::new(&environment);
        let settings = EngineSettings::read(&mut reader);
        let (settings, _) = reader.finish(settings).unwrap();
        let settings = EngineSettings { collection: bed::unique("test_search"), ..settings.unwrap() };
        let index = Self { settings, http: reqwest::Client::new() };
        let mut schema = contract("collection.json");
        schema["name"] = json!(index.settings.collection);
        index.post("collections", schema.to_string()).await;
        index
    }

    async fn post(&self, path: &str, body: String) {
        let request = self.http.post(format!("{}{path}", self.settings.url)).body(body);
        let answer = request.header("x-typesense-api-key", self.settings.key.expose_secret()).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success() && !body.contains("\"success\":false"), "{body}");
    }

    /// Adds products: the example, with changes.
    async fn add(&self, products: &[Value]) {
        let example = contract("example.json");
        let lines: Vec<String> = (1..)
            .zip(products)
            .map(|(place, product)| {
                let mut document = example.clone();
                document["id"] = json!(place.to_string());
                document.as_object_mut().unwrap().extend(product.as_object().unwrap().clone());
                document["name_folded"] = json!(folded(&text(&document["name"])));
                document.to_string()
            })
            .collect();
        let path = format!("collections/{}/documents/import?action=upsert", self.settings.collection);
        self.post(&path, lines.join("\n")).await;
    }

    /// A shop whose searches ask this collection.
    async fn shop(&self) -> Shop {
        let mut shop = shop::open().await;
        shop.router = search::with_engine(shop.router.clone(), Engine::new(&self.settings, self.http.clone()));
        shop
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let settings = self.settings.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let request = reqwest::Client::new().delete(format!("{}collections/{}", settings.url, settings.collection));
            let request = request.header("x-typesense-api-key", settings.key.expose_secret());
            runtime.block_on(request.send()).ok()
        });
        dropping.join().ok();
    }
}

/// The words of these tests without their marks.
fn folded(name: &str) -> String {
    commerce::slug::slug_of(name).unwrap().replace('-', " ")
}

/// The names found, in the answer's order.
async fn names(shop: &Shop, query: &str) -> Vec<String> {
    let found = shop.call("GET", &format!("/search?{query}")).role(1, "ADMIN", &[]).send().await.expect(200);
    found["items"].as_array().unwrap().iter().map(|item| text(&item["name"])).collect()
}

fn q(typed: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("q", typed).finish()
}

#[tokio::test]
async fn vietnamese_is_found_as_it_is_typed() {
    let index = Index::make().await;
    index
        .add(&[
            json!({ "name": "Phở bò sườn" }),
            json!({ "name": "Phố cổ" }),
            json!({ "name": "Thủy sản" }),
            json!({ "name": "Đường phèn" }),
        ])
        .await;
    let shop = index.shop().await;
    for (typed, found) in [
        ("phở", vec!["Phở bò sườn"]),
        ("pho bo", vec!["Phở bò sườn"]),
        ("phở suon", vec!["Phở bò sườn"]),
        ("pho\u{31b}\u{309}", vec!["Phở bò sườn"]),
        ("PHO CO", vec!["Phố cổ"]),
        // The tone is on the other letter: nothing has it as typed, so what comes near is answered.
        ("thuỷ sản", vec!["Thủy sản"]),
        ("duong", vec!["Đường phèn"]),
    ] {
        assert_eq!(names(&shop, &q(typed)).await, found, "{typed}");
    }
    let mut all = names(&shop, &q("pho")).await;
    all.sort();
    assert_eq!(all, ["Phố cổ", "Phở bò sườn"]);
}

#[tokio::test]
async fn an_answer_has_items_and_facets() {
    let index = Index::make().await;
    let cheap = json!({ "name": "Trà đá", "price_min": 5_000, "price_max": 5_000, "price_band": "0-20000",
                        "category_ids": [91, 90], "category_labels": ["91 Đồ uống", "90 Thực đơn"] });
    index.add(&[json!({ "name": "Phở bò" }), cheap]).await;
    let shop = index.shop().await;
    let found = shop.call("GET", "/search").role(1, "ADMIN", &[]).send().await.expect(200);
    assert_eq!((&found["found"], &found["page"]), (&json!(2), &json!(1)));
    let mut item = found["items"].as_array().unwrap().iter().find(|item| item["name"] == "Phở bò").unwrap().clone();
    assert_eq!(item["variants"].as_array_mut().unwrap().pop().unwrap()["barcode"], "8930000000052");
    assert_eq!((&item["merchant_id"], &item["image_id"]), (&json!("1"), &json!("7300000000000000001")));
    assert_eq!(item["categories"], json!([{ "id": "90", "name": "Món nước" }]));
    assert_eq!(
        found["facets"]["prices"],
        json!([
            { "from": 0, "to": 20_000, "count": 1 }, { "from": 50_000, "to": 100_000, "count": 1 },
        ])
    );
    let categories = found["facets"]["categories"].as_array().unwrap();
    assert!(categories.contains(&json!({ "id": "91", "name": "Đồ uống", "count": 1 })), "{categories:?}");
    for (query, name) in [
        ("category_id=91", "Trà đá"),
        ("price_max=50000", "Trà đá"),
        ("price_min=50000", "Phở bò"),
        ("price_min=51500&price_max=51800", "Phở bò"),
        ("q=8930000000052&category_id=90&price_min=50000", "Phở bò"),
        ("q=SKU-51&price_max=6000", "Trà đá"),
    ] {
        assert_eq!(names(&shop, query).await, [name], "{query}");
    }
    assert_eq!(names(&shop, "q=8930000000099&category_id=90&price_min=60000").await, Vec::<String>::new());
}

#[tokio::test]
async fn pages_follow_one_another() {
    let index = Index::make().await;
    let products: Vec<Value> = (0..5).map(|place| json!({ "name": "Bún chả", "updated_at": place })).collect();
    index.add(&products).await;
    let shop = index.shop().await;
    let mut ids = Vec::new();
    for page in 1..=3 {
        let path = format!("/search?limit=2&page={page}");
        let found = shop.call("GET", &path).role(1, "ADMIN", &[]).send().await.expect(200);
        ids.extend(found["items"].as_array().unwrap().iter().map(|item| text(&item["id"])));
    }
    assert_eq!(ids, ["5", "4", "3", "2", "1"]);
}

#[tokio::test]
async fn a_caller_finds_only_what_it_may_see() {
    let index = Index::make().await;
    index
        .add(&[
            json!({ "name": "Món một", "merchant_id": 11, "merchant_created_by": OWNER }),
            json!({ "name": "Món hai", "merchant_id": 12, "merchant_created_by": OWNER }),
            json!({ "name": "Món ba", "merchant_id": 13, "merchant_created_by": RIVAL }),
            json!({ "name": "Món nháp", "merchant_id": 11, "merchant_created_by": OWNER, "status": "DRAFT" }),
            json!({ "name": "Món ngưng", "merchant_id": 14, "merchant_created_by": OWNER, "merchant_status": "SUSPENDED" }),
        ])
        .await;
    let shop = index.shop().await;
    let find = async |query: &str, role: &str, user: i64, merchants: &[i64]| {
        let found = shop.call("GET", &format!("/search{query}")).role(user, role, merchants).send().await.expect(200);
        let items = found["items"].as_array().unwrap().clone();
        assert_eq!(found["found"], items.len());
        let mut names: Vec<String> = items.iter().map(|item| text(&item["name"])).collect();
        names.sort();
        names
    };
    assert_eq!(find("", "OWNER", OWNER, &[]).await, ["Món hai", "Món một"]);
    assert_eq!(find("?q=mon", "OWNER", RIVAL, &[]).await, ["Món ba"]);
    assert_eq!(find("?merchant_id=12", "OWNER", RIVAL, &[]).await, Vec::<String>::new());
    assert_eq!(find("", "EMPLOYEE", 5, &[11, 13]).await, ["Món ba", "Món một"]);
    assert_eq!(find("?merchant_id=13", "CASHIER", 5, &[11]).await, Vec::<String>::new());
    assert_eq!(find("?q=mon", "CASHIER", 5, &[]).await, Vec::<String>::new());
    assert_eq!(find("", "SUPER_ADMIN", 6, &[]).await, ["Món ba", "Món hai", "Món một"]);
    assert_eq!(find("?status=DRAFT", "OWNER", OWNER, &[]).await, ["Món nháp"]);
    shop.call("GET", "/search").role(OWNER, "STRANGER", &[]).send().await.expect(403);
    shop.call("GET", "/search").anonymous().send().await.expect(401);
}

#[tokio::test]
async fn whatever_is_typed_is_text_and_never_a_filter() {
    let index = Index::make().await;
    index.add(&[json!({ "name": "Phở bò", "merchant_created_by": RIVAL })]).await;
    let shop = index.shop().await;
    for typed in [
        "\"",
        "\\",
        "`",
        "*",
        "-",
        "-phở",
        "\"phở",
        "&&",
        "|| merchant_id:>0",
        "!!!",
        ":=",
        "()",
        "💥",
        "\u{1}",
        "'; --",
        "%",
        "a&filter_by=",
        "ａ",
        "\u{301}",
        "phở && merchant_status:=ACTIVE",
        "   ",
        "{\"a\":1}",
    ] {
        let found = shop.call("GET", &format!("/search?{}", q(typed))).send().await.expect(200);
        assert_eq!(found["found"], 0, "{typed}");
        shop.call("GET", &format!("/search?{}", q(typed))).role(1, "ADMIN", &[]).send().await.expect(200);
    }
}

#[tokio::test]
async fn parameters_that_are_none_answer_400() {
    let index = Index::make().await;
    let shop = index.shop().await;
    let long = "x".repeat(201);
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "page=0",
        "page=101",
        "price_min=-1",
        "price_max=9007199254740992",
        "price_min=1.5",
        "merchant_id=x",
        "category_id=99999999999999999999",
        "status=SOLD",
        &format!("q={long}"),
        "q=%00",
    ] {
        let refusal = shop.call("GET", &format!("/search?{query}")).send().await.expect(400);
        assert_eq!(refusal["code"], "MALFORMED_PARAMETER", "{query}");
    }
}

#[tokio::test]
async fn an_engine_that_is_not_there_answers_503_with_retry_after() {
    let index = Index::make().await;
    let nowhere = EngineSettings { url: "http://127.0.0.1:9".parse().unwrap(), ..index.settings.clone() };
    let unmade = EngineSettings { collection: "test_search_never_made".to_owned(), ..index.settings.clone() };
    let wrong = EngineSettings { key: "wrong".to_owned().into(), ..index.settings.clone() };
    for settings in [Some(nowhere), Some(unmade), Some(wrong), None] {
        let mut shop = shop::open().await;
        let engine = settings.as_ref().and_then(|settings| Engine::new(settings, index.http.clone()));
        shop.router = search::with_engine(shop.router.clone(), engine);
        let reply = shop.call("GET", "/search?q=pho").send().await;
        reply.refused(503, "SEARCH_UNAVAILABLE", &[]);
        assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
    }
}

#[tokio::test]
async fn the_document_describes_search() {
    let shop = shop::open().await;
    let document = shop.call("GET", "/doc/openapi.json").anonymous().send().await.expect(200);
    let operation = &document["paths"]["/v1/api/commerce/search"]["get"];
    let names: Vec<_> = operation["parameters"].as_array().unwrap().iter().map(|one| text(&one["name"])).collect();
    assert_eq!(names, ["q", "merchant_id", "category_id", "price_min", "price_max", "status", "limit", "page"]);
    for status in ["200", "400", "401", "403", "503"] {
        assert!(operation["responses"][status].is_object(), "{status}");
    }
}
