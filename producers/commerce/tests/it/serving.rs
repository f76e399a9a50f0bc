//! The whole service on a port of its own, put together from its configuration as production does it.

use std::sync::Arc;
use std::time::Duration;

use platform::clock::SystemClock;
use platform::config::Environment;
use platform::lifecycle::Lifecycle;
use platform::random::SystemRandom;
use platform::redis::Cache;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use shell::issuer::Issuer;
use shell::kit::Outside;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What `prepare` is given, with an identity that lives in the test.
pub(crate) fn outside(issuer: Arc<Issuer>, lifecycle: Lifecycle) -> Outside {
    Outside {
        authority: issuer,
        cache: Cache::none(),
        clock: SystemClock::shared(),
        random: SystemRandom::shared(),
        lifecycle,
    }
}

/// A service that runs until [`Serving::stop`].
pub(crate) struct Serving {
    pub(crate) url: String,
    client: Client,
    token: String,
    lifecycle: Lifecycle,
    task: JoinHandle<anyhow::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Serving {
    /// Begins to serve on this database; its port opens in a moment.
    pub(crate) async fn start(database_url: &str) -> Self {
        platform::tls::install();
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let secret = "5a".repeat(32);
        let environment =
            Environment::from_pairs([("APP_ENV_CURSOR_SECRET", &secret), ("APP_ENV_APPLICATION_SECRET", &secret)])
                .with("COMMERCE__APP_ENV_DB_URL", database_url)
                .with("APP_ENV_MEDIA_URL", url::Url::from_directory_path(folder.path()).unwrap())
                .with("APP_ENV_APPLICATION_SECRET_PREVIOUS", "11".repeat(32))
                .with("APP_ENV_PORT", port.to_string());
        let (issuer, lifecycle) = (Arc::new(Issuer::default()), Lifecycle::new());
        let token = issuer.token(1001, &["OWNER"], &[]);
        let outside = outside(issuer, lifecycle.clone());
        let task = tokio::spawn(async move { Ok(commerce::prepare(&environment, outside)?.serve().await?) });
        let url = format!("http://127.0.0.1:{port}");
        Self { url, client: Client::new(), token, lifecycle, task, _folder: folder }
    }

    /// The status of a GET, or nothing when nobody listens.
    pub(crate) async fn status(&self, path: &str) -> Option<u16> {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// Waits until a path answers with this status.
    pub(crate) async fn expect(&self, path: &str, status: u16) {
        let mut seen = None;
        for _ in 0..600 {
            assert!(!self.task.is_finished(), "the service stopped by itself");
            seen = self.status(path).await;
            if seen == Some(status) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{path} never answered {status}, but {seen:?}");
    }

    /// Asks for a merchant of this name to be made, under this idempotency key.
    pub(crate) async fn create_merchant(&self, key: &str, name: &str) -> reqwest::Result<Response> {
        let body: Value = json!({ "name": name, "industry": "FOOD_SERVICE", "taxpayer": "HOUSEHOLD" });
        let url = format!("{}/v1/api/commerce/merchants", self.url);
        let request = self.client.post(url).bearer_auth(&self.token).header("idempotency-key", key);
        request.json(&body).send().await
    }

    /// Ends it and waits until it has ended.
    pub(crate) async fn stop(self) {
        self.lifecycle.begin_stop(Duration::ZERO).await;
        self.task.await.unwrap().unwrap();
    }
}
