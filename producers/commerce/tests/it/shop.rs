//! The service as a test sees it: requests in, answers out.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use commerce::{Commerce, Store};
use http_body_util::BodyExt;
use platform::clock::SystemClock;
use platform::config::{Environment, Reader};
use platform::lifecycle::Lifecycle;
use platform::random::SystemRandom;
use platform::redis::Cache;
use platform::sealing::{Key, Keyring};
use platform::service::Service;
use platform::snowflake::Snowflake;
use serde_json::{Value, json};
use shell::issuer::Issuer;
use shell::kit::Outside;
use shell::{Kit, ShellSettings};
use tower::ServiceExt;

/// An owner, and another one.
pub(crate) const OWNER: i64 = 1001;
pub(crate) const RIVAL: i64 = 2002;

/// What `serve` opens, without its port.
pub(crate) struct Shop {
    pub(crate) router: Router,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) database: bed::Database,
    pub(crate) commerce: Commerce,
    pub(crate) kit: Kit,
    folder: tempfile::TempDir,
}

/// A shop where every role may do everything, so that only the scope of rows stands between merchants.
pub(crate) async fn open() -> Shop {
    open_with(Cache::none(), 7).await
}

/// As [`open`], with a cache, and with credentials sealed under a key of this byte.
pub(crate) async fn open_with(cache: Cache, key: u8) -> Shop {
    let database = bed::database("commerce").await;
    let folder = tempfile::tempdir().unwrap();
    let url = url::Url::from_directory_path(folder.path()).unwrap();
    let issuer = Arc::new(Issuer::default());
    let all = ["SUPER_ADMIN", "ADMIN", "OWNER", "EMPLOYEE", "CASHIER"];
    issuer.set_rules(&all.map(|role| (role, "commerce", "*", "*", "allow")));
    let commerce = Commerce {
        pool: database.pool.clone(),
        snowflake: Snowflake::fixed(Service::COMMERCE.node_id, 0, SystemClock::shared()),
        keyring: Arc::new(keyring(key, &[])),
        store: Store::open(&url).unwrap(),
        cache: cache.clone(),
    };
    let kit = kit(issuer.clone(), cache);
    kit.gate().refresh().await.unwrap();
    let router = commerce::router(&kit, commerce.clone());
    Shop { router, issuer, database, commerce, kit, folder }
}

pub(crate) fn keyring(current: u8, previous: &[u8]) -> Keyring {
    let previous = previous.iter().map(|byte| Key::from_bytes([*byte; 32])).collect();
    Keyring::new(Key::from_bytes([current; 32]), previous, SystemRandom::shared())
}

fn kit(issuer: Arc<Issuer>, cache: Cache) -> Kit {
    let secret = "5a".repeat(32);
    let environment =
        Environment::from_pairs([("APP_ENV_CURSOR_SECRET", &secret), ("APP_ENV_APPLICATION_SECRET", &secret)]);
    let mut reader = Reader::new(&environment);
    let settings = ShellSettings::read(&mut reader, Service::COMMERCE);
    let (settings, _) = reader.finish(settings).unwrap();
    let outside = Outside {
        authority: issuer,
        cache,
        clock: SystemClock::shared(),
        random: SystemRandom::shared(),
        lifecycle: Lifecycle::new(),
    };
    Kit::new(Service::COMMERCE, settings, outside)
}

/// A request being made.
pub(crate) struct Call<'s> {
    shop: &'s Shop,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Shop {
    /// A request as the owner, to a path below the service's base path.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        let call = Call {
            shop: self,
            method: method.parse().unwrap(),
            path: format!("/v1/api/commerce{path}"),
            headers: Vec::new(),
            body: Vec::new(),
        };
        call.owner(OWNER)
    }

    /// Creates something as the owner, and answers it.
    pub(crate) async fn create(&self, path: &str, body: Value) -> Value {
        let reply = self.call("POST", path).json(&body).key(&bed::unique("key")).send().await;
        assert_eq!(reply.status, 201, "{path}: {}", reply.text());
        reply.json()
    }

    /// A merchant of the owner's, and its id.
    pub(crate) async fn merchant(&self) -> String {
        let body = json!({ "name": "Phở Thìn Lò Đúc", "industry": "FOOD_SERVICE", "taxpayer": "HOUSEHOLD" });
        text(&self.create("/merchants", body).await["id"])
    }

    /// A product of this merchant with two variants.
    pub(crate) async fn product(&self, merchant: &str, name: &str) -> Value {
        self.create("/products", product(merchant, name)).await
    }

    /// Where the bytes of media are.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// How many rows a query counts.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.database.pool).await.unwrap()
    }
}

/// A product to create.
pub(crate) fn product(merchant: &str, name: &str) -> Value {
    json!({
        "merchant_id": merchant, "kind": "MENU_ITEM", "name": name,
        "variants": [
            { "name": "Tô nhỏ", "unit": "tô", "price": 50_000 },
            { "name": "Tô lớn", "unit": "tô", "price": 65_000, "cost": 30_000, "attributes": { "size": "L" }, "is_default": true },
        ],
    })
}

/// The text of a value that must be one.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(present, _)| *present != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn anonymous(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != "authorization");
        self
    }

    pub(crate) fn owner(self, user: i64) -> Self {
        self.role(user, "OWNER", &[])
    }

    pub(crate) fn role(self, user: i64, role: &str, merchants: &[i64]) -> Self {
        let token = self.shop.issuer.token(user, &[role], merchants);
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes("application/json", body.to_string().into_bytes())
    }

    pub(crate) fn bytes(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = body;
        self.header("content-type", content_type)
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn version(self, version: &Value) -> Self {
        self.header("if-match", format!("\"{version}\""))
    }

    pub(crate) async fn send(self) -> Reply {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(self.body)).unwrap();
        let response = self.shop.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, bytes }
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body of a reply that must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// A refusal must have this status and code, and name these fields.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str, pointers: &[&str]) {
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        let named: Vec<_> =
            body["errors"].as_array().into_iter().flatten().map(|error| text(&error["pointer"])).collect();
        assert_eq!(named, pointers, "{body}");
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
