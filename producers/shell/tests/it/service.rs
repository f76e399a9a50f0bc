//! The small service of `widget.rs`, running on a port and a database of its own.

use std::sync::Arc;
use std::time::Duration;

use platform::clock::SystemClock;
use platform::config::{Environment, Reader};
use platform::lifecycle::Lifecycle;
use platform::postgres::PoolSettings;
use platform::random::SystemRandom;
use platform::redis::Cache;
use platform::service::Service;
use platform::snowflake::Snowflake;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use shell::issuer::Issuer;
use shell::kit::Outside;
use shell::{Kit, Server, ShellSettings};
use sqlx::PgPool;
use tokio::task::JoinHandle;

use crate::widget::{self, App};

/// A running service. Its database is dropped with it.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) kit: Kit,
    /// The test's own connections, not the service's.
    pub(crate) pool: PgPool,
    pub(crate) client: Client,
    pub(crate) serving: JoinHandle<std::io::Result<()>>,
    _database: bed::Database,
}

/// What a test changes of the ordinary.
#[derive(Default)]
pub(crate) struct Odd {
    pub(crate) settings: Vec<(&'static str, &'static str)>,
    pub(crate) cache: Option<Cache>,
    pub(crate) connections: Option<u32>,
    pub(crate) database_url: Option<&'static str>,
    /// How long a request waits for a connection, in milliseconds.
    pub(crate) patience: Option<u64>,
}

pub(crate) async fn start() -> Running {
    start_odd(Odd::default()).await
}

pub(crate) fn settings(pairs: &[(&'static str, &'static str)]) -> ShellSettings {
    let secret = "ab".repeat(32);
    let mut environment =
        Environment::from_pairs([("APP_ENV_CURSOR_SECRET", &secret), ("APP_ENV_APPLICATION_SECRET", &secret)])
            .with("APP_ENV_PORT", "0");
    for (name, value) in pairs {
        environment = environment.with(*name, *value);
    }
    let mut reader = Reader::new(&environment);
    let settings = ShellSettings::read(&mut reader, Service::COMMERCE);
    reader.finish(settings).unwrap().0
}

pub(crate) fn outside(issuer: &Arc<Issuer>, cache: Option<Cache>) -> Outside {
    Outside {
        authority: issuer.clone(),
        cache: cache.unwrap_or_else(Cache::none),
        clock: SystemClock::shared(),
        random: SystemRandom::shared(),
        lifecycle: Lifecycle::new(),
    }
}

pub(crate) async fn start_odd(odd: Odd) -> Running {
    platform::tls::install();
    let database = bed::database("commerce").await;
    sqlx::query(widget::DDL).execute(&database.pool).await.unwrap();
    let issuer = Arc::new(Issuer::default());
    let kit = Kit::new(Service::COMMERCE, settings(&odd.settings), outside(&issuer, odd.cache));
    kit.gate().refresh().await.unwrap();
    let mut pool_settings = PoolSettings::named("widget").max_connections(odd.connections.unwrap_or(8));
    pool_settings.acquire_timeout = Duration::from_millis(odd.patience.unwrap_or(30_000));
    let url = odd.database_url.unwrap_or(&database.url);
    let pool = platform::postgres::connect(url, &pool_settings).unwrap();
    kit.readiness().register_postgres("postgres", pool.clone());
    let app = App { pool, snowflake: Snowflake::fixed(2, 0, SystemClock::shared()) };
    let router = shell::router(&kit, widget::endpoints(), app);
    let server = Server::bind(&kit).await.unwrap();
    let url = format!("http://{}", server.address().unwrap());
    let serving = tokio::spawn(server.serve(router));
    Running { url, issuer, kit, pool: database.pool.clone(), client: Client::new(), serving, _database: database }
}

impl Running {
    /// A request as user 7, the owner of what it creates.
    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.ask_as(7, &["OWNER"], &[], method, path)
    }

    pub(crate) fn ask_as(
        &self,
        user: i64,
        roles: &[&str],
        merchants: &[i64],
        method: Method,
        path: &str,
    ) -> RequestBuilder {
        let token = self.issuer.token(user, roles, merchants);
        self.client.request(method, format!("{}/v1/api/commerce{path}", self.url)).bearer_auth(token)
    }

    pub(crate) fn create(&self, key: &str, slug: &str) -> RequestBuilder {
        self.ask(Method::POST, "/widgets").header("idempotency-key", key).json(&new_widget(slug))
    }

    pub(crate) async fn created(&self, slug: &str) -> String {
        let response = self.create(slug, slug).send().await.unwrap();
        assert_eq!(response.status(), 201);
        json(response).await["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn count(&self) -> i64 {
        sqlx::query_scalar("select count(*) from widget").fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until the statement of a request waits for a lock. The request must not have been answered.
    pub(crate) async fn until_blocked(&self, request: &JoinHandle<reqwest::Result<Response>>) {
        let waiting = "select count(*) from pg_stat_activity
                       where application_name = 'widget' and datname = current_database() and wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&self.pool).await.unwrap() == 0 {
            assert!(!request.is_finished(), "the request was answered before it came to the lock");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) fn new_widget(slug: &str) -> Value {
    json!({ "merchant_id": "5", "name": format!("Widget {slug}"), "slug": slug, "price": 10_000 })
}

pub(crate) async fn json(response: Response) -> Value {
    response.json().await.unwrap()
}

/// Asserts status and code of a problem, and that it names its request.
pub(crate) async fn refused(response: Response, status: u16, code: &str) -> Value {
    let (answered, id) = (response.status(), response.headers()["x-request-id"].to_str().unwrap().to_owned());
    let kind = response.headers().get("content-type").unwrap().clone();
    let problem: Value = json(response).await;
    assert_eq!((answered.as_u16(), problem["code"].as_str()), (status, Some(code)), "{problem}");
    assert_eq!(kind, "application/problem+json");
    assert_eq!((problem["request_id"].as_str(), &problem["status"]), (Some(id.as_str()), &status.into()));
    problem
}
