//! The service on a database of its own, asked without a port.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use invoice::Invoice;
use platform::clock::SystemClock;
use platform::config::{Environment, Reader};
use platform::lifecycle::Lifecycle;
use platform::random::SystemRandom;
use platform::redis::Cache;
use platform::service::Service;
use serde_json::Value;
use shell::issuer::Issuer;
use shell::kit::Outside;
use shell::{Kit, ShellSettings};
use tower::ServiceExt as _;

/// What a caller got.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// A service with policies, but for nothing else in the world.
pub(crate) struct Running {
    pub(crate) database: bed::Database,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) kit: Kit,
    router: Router,
}

impl Running {
    /// With the definitions that identity seeds for employees and cashiers.
    pub(crate) async fn start(resources: &[&str]) -> Self {
        let service = Self::without_policies().await;
        let rules: Vec<_> = ["EMPLOYEE", "CASHIER"]
            .into_iter()
            .flat_map(|role| resources.iter().map(move |resource| (role, "invoice", *resource, "read", "allow")))
            .collect();
        service.issuer.set_rules(&rules);
        service.kit.gate().refresh().await.unwrap();
        service
    }

    pub(crate) async fn without_policies() -> Self {
        let database = bed::database("invoice").await;
        let issuer = Arc::new(Issuer::default());
        let outside = Outside {
            authority: issuer.clone(),
            cache: Cache::none(),
            clock: SystemClock::shared(),
            random: SystemRandom::shared(),
            lifecycle: Lifecycle::new(),
        };
        let kit = Kit::new(Service::INVOICE, settings(), outside);
        let router = invoice::router(&kit, Invoice { pool: database.pool.clone() });
        Self { database, issuer, kit, router }
    }

    /// A GET below the base path, with this token if any.
    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Got {
        let mut request = Request::get(format!("{}{path}", Service::INVOICE.base_path));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Got { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    pub(crate) async fn get_as_administrator(&self, path: &str) -> Got {
        self.get(path, Some(&self.issuer.token(1, &["ADMIN"], &[]))).await
    }

    pub(crate) async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.database.pool).await.unwrap();
    }
}

fn settings() -> ShellSettings {
    let secret = "ab".repeat(32);
    let environment =
        Environment::from_pairs([("APP_ENV_CURSOR_SECRET", &secret), ("APP_ENV_APPLICATION_SECRET", &secret)]);
    let mut reader = Reader::new(&environment);
    let settings = ShellSettings::read(&mut reader, Service::INVOICE);
    reader.finish(settings).unwrap().0
}
