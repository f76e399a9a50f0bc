//! A whole identity in a test: a database, a router, a clock that can be moved, people.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use identity::prepare::assemble;
use identity::settings::Settings;
use identity::state::App;
use identity::throttle::{Limit, Limits};
use identity::token::access::{self, Subject};
use identity::user::store::NewUser;
use identity::user::{grant, store};
use platform::clock::{Clock as _, ManualClock, SystemClock};
use platform::config::{Environment, Reader};
use platform::lifecycle::Lifecycle;
use platform::random::SystemRandom;
use platform::redis::Cache;
use platform::service::Service;
use platform::snowflake::Snowflake;
use secrecy::SecretString;
use serde_json::Value;
use shell::authority::{Authority, AuthorityError, Jwks, Kind};
use shell::kit::Outside;
use shell::{Scope, ShellSettings};
use time::OffsetDateTime;
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

pub(crate) const BASE: &str = "/v1/api/identity";
/// The password of everybody here.
pub(crate) const PASSWORD: &str = "bún chả Hà Nội ngon";

pub(crate) struct Site {
    pub(crate) database: bed::Database,
    pub(crate) app: App,
    pub(crate) clock: Arc<ManualClock>,
    router: Router,
    made: AtomicU64,
}

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: i64,
    pub(crate) email: String,
    pub(crate) token: String,
}

#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answered {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn etag(&self) -> &str {
        self.headers[header::ETAG].to_str().unwrap()
    }

    /// Fails with the whole answer when the status is another.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let answered = self.expect(status);
        assert_eq!(answered.code(), code, "{answered:?}");
        answered
    }
}

/// A request on its way.
pub(crate) struct Call<'s> {
    site: &'s Site,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Value>,
}

impl Call<'_> {
    pub(crate) fn by(self, person: &Person) -> Self {
        self.with("authorization", &format!("Bearer {}", person.token))
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    pub(crate) fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn once(self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    pub(crate) fn if_match(self, etag: &str) -> Self {
        self.with("if-match", etag)
    }

    pub(crate) async fn send(self) -> Answered {
        let mut request = Request::builder().method(self.method).uri(format!("{BASE}{}", self.path));
        let body = self.body.map(|body| body.to_string());
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        let response = self.site.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answered { status: parts.status, headers: parts.headers, body }
    }
}

/// The authority that identity is handed by whoever starts all services alike, and must never ask.
struct NeverAsked;

#[async_trait]
impl Authority for NeverAsked {
    async fn keys(&self) -> Result<Jwks, AuthorityError> {
        panic!("identity asked somebody else for keys")
    }
    async fn bundle(&self) -> Result<String, AuthorityError> {
        panic!("identity asked somebody else for policies")
    }
    async fn exchange(&self, _: &SecretString) -> Result<String, AuthorityError> {
        panic!("identity asked somebody else about a service account")
    }
}

pub(crate) fn environment(secret: &str) -> Environment {
    Environment::from_pairs([
        ("APP_ENV_DB_URL", "postgres://given/by-the-test"),
        ("APP_ENV_APPLICATION_SECRET", secret),
    ])
    .with("APP_ENV_CURSOR_SECRET", "cd".repeat(32))
    .with("APP_ENV_FORWARDED_HOPS", "1")
}

/// The service around a database, under this secret.
pub(crate) fn build(database: &bed::Database, clock: Arc<ManualClock>, environment: &Environment) -> App {
    let mut reader = Reader::new(environment);
    let (shell, own) = (ShellSettings::read(&mut reader, Service::IDENTITY), Settings::read(&mut reader));
    let ((shell, mut own), _) = reader.finish(shell.zip(own)).unwrap();
    let window = own.limits.account.window;
    own.limits = Limits { account: Limit { attempts: 3, window }, address: Limit { attempts: 5, window } };
    let outside = Outside {
        authority: Arc::new(NeverAsked),
        cache: Cache::none(),
        clock,
        random: SystemRandom::shared(),
        lifecycle: Lifecycle::new(),
    };
    let snowflake = Snowflake::fixed(Service::IDENTITY.node_id, 0, SystemClock::shared());
    assemble(&own, shell, outside, database.pool.clone(), snowflake).unwrap()
}

impl Site {
    pub(crate) async fn new() -> Self {
        let database = bed::database("identity").await;
        let now = OffsetDateTime::now_utc();
        let clock = ManualClock::at(now.replace_nanosecond(0).unwrap());
        let app = build(&database, clock.clone(), &environment(&"ab".repeat(32)));
        app.kit.gate().refresh().await.unwrap();
        let router = identity::router(&app);
        Self { database, app, clock, router, made: AtomicU64::new(0) }
    }

    pub(crate) fn call(&self, method: Method, path: impl Into<String>) -> Call<'_> {
        Call { site: self, method, path: path.into(), headers: HeaderMap::new(), body: None }
    }

    pub(crate) fn get(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// With an idempotency key of its own.
    pub(crate) fn post(&self, path: impl Into<String>) -> Call<'_> {
        let key = bed::unique("key");
        self.call(Method::POST, path).once(&key)
    }

    pub(crate) fn patch(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::PATCH, path)
    }

    pub(crate) fn put(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::PUT, path)
    }

    pub(crate) fn delete(&self, path: impl Into<String>) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    /// Asks for tokens, from an address of its own unless one is given.
    pub(crate) async fn grant(&self, body: Value) -> Answered {
        self.grant_from(body, "198.51.100.7").await
    }

    pub(crate) async fn grant_from(&self, body: Value, address: &str) -> Answered {
        self.call(Method::POST, "/tokens").with("x-forwarded-for", address).json(body).send().await
    }

    pub(crate) async fn sign_in(&self, email: &str) -> Answered {
        self.grant(serde_json::json!({"grant_type": "password", "email": email, "password": PASSWORD})).await
    }

    /// A user with these roles, and a token of it.
    pub(crate) async fn person(&self, roles: &[&str]) -> Person {
        self.person_made_by(roles, 1).await
    }

    pub(crate) async fn person_made_by(&self, roles: &[&str], created_by: i64) -> Person {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let email = format!("person{number}@example.vn");
        let (id, password_hash, now) = (self.app.snowflake.next_id().unwrap(), password_hash().await, self.clock.now());
        let name = format!("Người thứ {number}");
        let user = NewUser { id, email: email.clone(), name, password_hash, created_by };
        store::insert(&self.app.pool, &user, now).await.unwrap();
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        grant::set_roles(&self.app.pool, id, &roles, created_by, now).await.unwrap();
        let token = self.token(id).await;
        Person { id, email, token }
    }

    /// A token of a user, as a sign-in would give it now.
    pub(crate) async fn token(&self, id: i64) -> String {
        let user = store::find(&self.app.pool, &Scope::All, id).await.unwrap().unwrap();
        let subject = Subject { id, kind: Kind::User, roles: user.roles, merchants: user.merchants };
        let signer = self.app.keys.signer().await.unwrap();
        access::issue(&signer, &subject, self.clock.now(), &SystemRandom).unwrap()
    }
}

async fn password_hash() -> String {
    static HASH: OnceCell<String> = OnceCell::const_new();
    HASH.get_or_init(|| async { identity::password::hash::hash(PASSWORD, &SystemRandom).unwrap() }).await.clone()
}
