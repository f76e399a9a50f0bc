//! A commerce database, a `backbone`, a collection, and a consumer between them, of one test's own.

use std::sync::Arc;
use std::time::Duration;

use runtime::frontier::{Fingerprint, Mark};
use runtime::{Batch, Change, Consumer, Coordinates, Decision, Effect, EntityKey, Fault, Outcome, Planned};
use schemas::Position;
use schemas::Row;
use schemas::commerce::{category::Category, merchant::Merchant, product::Product, variant::Variant};
use search_sync::{NAME, Plan, SearchSync, Settings, Touch};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

pub(crate) const MERCHANT: i64 = 7_100_000_000_000_000_001;
pub(crate) const CATEGORY: i64 = 7_100_000_000_000_000_002;
/// Who made the merchants.
pub(crate) const OWNER: i64 = 7_000_000_000_000_000_007;

pub(crate) struct Shop {
    pub(crate) commerce: bed::Database,
    pub(crate) backbone: bed::Database,
    pub(crate) settings: Settings,
    pub(crate) consumer: SearchSync,
    pub(crate) http: reqwest::Client,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_with(settings()).await
    }

    pub(crate) async fn open_with(settings: Settings) -> Self {
        platform::tls::install();
        let (commerce, backbone) = tokio::join!(bed::database("commerce"), bed::database("backbone"));
        let http = reqwest::Client::new();
        let consumer = consumer(&settings, &commerce, &backbone);
        let shop = Self { commerce, backbone, settings, consumer, http };
        shop.merchant(MERCHANT, "Quán Cô Ba").await;
        shop.category(CATEGORY, None, "Món nước").await;
        shop
    }

    /// One more worker, as another process would have it.
    pub(crate) fn worker(&self, settings: &Settings) -> SearchSync {
        consumer(settings, &self.commerce, &self.backbone)
    }

    pub(crate) async fn run(&self, statement: &'static str, ids: &[i64]) {
        let query = ids.iter().fold(sqlx::query(statement), |query, id| query.bind(*id));
        assert!(query.execute(&self.commerce.pool).await.unwrap().rows_affected() > 0, "{statement}");
    }

    pub(crate) async fn merchant(&self, id: i64, name: &str) {
        sqlx::query(
            "insert into merchant (id, name, industry, taxpayer, address_line, status, deletion_policy, created_by, version,
                                   created_at, updated_at)
             values ($1, $2, 'MIXED', 'HOUSEHOLD', '1 Lê Lợi', 'ACTIVE', 'RESTRICT', $3, 1, now(), now())",
        )
        .bind(id)
        .bind(name)
        .bind(OWNER)
        .execute(&self.commerce.pool)
        .await
        .unwrap();
    }

    pub(crate) async fn category(&self, id: i64, parent: Option<i64>, name: &str) {
        sqlx::query(
            "insert into category (id, merchant_id, parent_id, name, slug, position, created_by, version, created_at,
                                   updated_at)
             values ($1, $2, $3, $4, $1::text, 0, 1, 1, now(), now())",
        )
        .bind(id)
        .bind(MERCHANT)
        .bind(parent)
        .bind(name)
        .execute(&self.commerce.pool)
        .await
        .unwrap();
    }

    /// A product of a merchant, with one variant (id + 1) at this price.
    pub(crate) async fn product_of(&self, merchant: i64, id: i64, category: Option<i64>, name: &str, price: i64) {
        sqlx::query(
            "insert into product (id, merchant_id, category_id, kind, name, slug, description, status, industry_group,
                                  vat_class, created_by, version, created_at, updated_at)
             values ($1, $2, $3, 'MENU_ITEM', $4, $1::text, '', 'ACTIVE', 'GOODS', 'STANDARD', 1, 1, now(), now())",
        )
        .bind(id)
        .bind(merchant)
        .bind(category)
        .bind(name)
        .execute(&self.commerce.pool)
        .await
        .unwrap();
        self.variant(merchant, id + 1, id, price).await;
    }

    pub(crate) async fn product(&self, id: i64, name: &str, price: i64) {
        self.product_of(MERCHANT, id, Some(CATEGORY), name, price).await;
    }

    pub(crate) async fn variant(&self, merchant: i64, id: i64, product: i64, price: i64) {
        sqlx::query(
            "insert into variant (id, product_id, merchant_id, sku, barcode, name, unit, price, attributes, is_default,
                                  position, created_by, version, created_at, updated_at)
             values ($1, $2, $3, 'SKU-' || $1, '893' || $1, 'Tô lớn', 'tô', $4, '{\"size\": \"L\"}', $1 = $2 + 1, 0, 1, 1,
                     now(), now())",
        )
        .bind(id)
        .bind(product)
        .bind(merchant)
        .bind(price)
        .execute(&self.commerce.pool)
        .await
        .unwrap();
    }

    /// Decides and applies, as the runtime would.
    pub(crate) async fn apply(&self, changes: Vec<Change<Touch>>) -> Outcome {
        self.try_apply(changes).await.unwrap()
    }

    pub(crate) async fn try_apply(&self, changes: Vec<Change<Touch>>) -> Result<Outcome, Fault> {
        self.consumer.apply(&batch(&self.consumer, changes, None)).await
    }

    /// Applies creations of these products.
    pub(crate) async fn publish(&self, products: &[i64]) -> Outcome {
        self.apply(products.iter().map(|id| product(*id, 1)).collect()).await
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url = format!("{}{path}", self.settings.url.as_str().trim_end_matches('/'));
        let request = self.http.get(url).query(query).header("x-typesense-api-key", self.settings.key.expose_secret());
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The whole answer to a search of names.
    pub(crate) async fn search(&self, q: &str, filter: &str, facets: &str) -> Value {
        let by = "name,name_folded,category_names,category_names_folded,skus,barcodes";
        let query = [("q", q), ("query_by", by), ("num_typos", "0"), ("filter_by", filter), ("facet_by", facets)];
        self.ask(&format!("/collections/{}/documents/search", self.settings.collection), &query).await
    }

    /// The names that a search finds, sorted.
    pub(crate) async fn names(&self, q: &str, filter: &str) -> Vec<String> {
        let answer = self.search(q, filter, "").await;
        let hits = answer["hits"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let mut names: Vec<_> = hits.iter().map(|hit| hit["document"]["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// A product's document; null where there is none.
    pub(crate) async fn document(&self, product: i64) -> Value {
        let document = self.ask(&format!("/collections/{}/documents/{product}", self.settings.collection), &[]).await;
        if document["id"].is_null() { Value::Null } else { document }
    }

    pub(crate) async fn collection(&self) -> Value {
        self.ask(&format!("/collections/{}", self.settings.collection), &[]).await
    }

    /// Makes the collection before the consumer does, with one more field.
    pub(crate) async fn make_collection_with(&self, field: Value) {
        let mut schema: Value = serde_json::from_str(search_sync::COLLECTION).unwrap();
        schema["name"] = json!(format!("{}_1", self.settings.collection));
        schema["fields"].as_array_mut().unwrap().push(field);
        let url = format!("{}collections", self.settings.url);
        let request = self.http.post(url).header("x-typesense-api-key", self.settings.key.expose_secret());
        assert!(request.body(schema.to_string()).send().await.unwrap().status().is_success());
    }

    pub(crate) async fn frontier(&self) -> Option<i64> {
        runtime::frontier::read(&self.backbone.pool, NAME, Product::TOPIC, 0).await.unwrap()
    }
}

/// The stack's engine, and an alias of the test's own.
pub(crate) fn settings() -> Settings {
    let environment = bed::environment();
    let mut reader = platform::config::Reader::new(&environment);
    let settings = Settings::read(&mut reader);
    let (settings, _) = reader.finish(settings).unwrap();
    Settings { collection: bed::unique("test_products"), ..settings }
}

/// A consumer with pools of its own.
fn consumer(settings: &Settings, commerce: &bed::Database, backbone: &bed::Database) -> SearchSync {
    let pool = || PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(30));
    let source: PgPool = pool().connect_lazy_with(commerce.as_role("reader"));
    let backbone: PgPool = pool().connect_lazy_with(backbone.as_role("backbone"));
    SearchSync::new(settings.clone(), reqwest::Client::new(), source, backbone).unwrap()
}

/// What the runtime makes of changes.
pub(crate) fn batch(consumer: &SearchSync, changes: Vec<Change<Touch>>, mark: Option<Mark>) -> Batch<Plan> {
    let plan = |change: Change<Touch>| {
        let Decision::Apply(plan) = consumer.decide(&change) else { panic!("{change:?} is not applied") };
        Planned { entity: change.entity, position: change.position, coordinates: change.coordinates, plan }
    };
    Batch { consumer: NAME, plans: changes.into_iter().map(plan).collect(), mark }
}

/// The partition is applied before this offset.
pub(crate) fn mark(next_offset: i64) -> Mark {
    Mark { topic: Product::TOPIC.into(), partition: 0, next_offset, fingerprint: Fingerprint::of(0, None, None) }
}

fn change(topic: &str, id: i64, effect: Effect<Touch>) -> Change<Touch> {
    let topic: Arc<str> = topic.into();
    Change {
        entity: EntityKey::new(topic.clone(), &id.to_string()),
        coordinates: Coordinates { topic, partition: 0, offset: 1_000 },
        position: Position::default(),
        committed_ms: 0,
        effect,
    }
}

fn upsert(topic: &str, id: i64, row: Touch) -> Change<Touch> {
    change(topic, id, Effect::Upsert { row, update: false })
}

pub(crate) fn product(id: i64, version: i64) -> Change<Touch> {
    upsert(Product::TOPIC, id, Touch::Product { id, version })
}

pub(crate) fn variant(id: i64, product_id: i64, version: i64) -> Change<Touch> {
    upsert(Variant::TOPIC, id, Touch::Variant { id, product_id, version })
}

pub(crate) fn merchant(id: i64, version: i64) -> Change<Touch> {
    upsert(Merchant::TOPIC, id, Touch::Merchant { id, version })
}

pub(crate) fn category(id: i64, version: i64) -> Change<Touch> {
    upsert(Category::TOPIC, id, Touch::Category { id, version })
}

/// A row that was deleted from its table.
pub(crate) fn deleted<T: Row>(id: i64) -> Change<Touch> {
    change(T::TOPIC, id, Effect::Delete)
}

impl Drop for Shop {
    /// The collection would stay in the engine's memory. With a client of its own: the test's runtime stands still.
    fn drop(&mut self) {
        let settings = self.settings.clone();
        let dropping = std::thread::spawn(move || {
            let http = reqwest::Client::new();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let collections = (1..=2).map(|number| format!("collections/{}_{number}", settings.collection));
                for path in collections.chain([format!("aliases/{}", settings.collection)]) {
                    let request = http.delete(format!("{}{path}", settings.url));
                    request.header("x-typesense-api-key", settings.key.expose_secret()).send().await.ok()?;
                }
                Some(())
            })
        });
        dropping.join().ok();
    }
}
