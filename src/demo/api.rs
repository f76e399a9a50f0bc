//! The public API, as any client calls it: a token that is renewed in time, keys and tags, patience when it is told to wait.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use platform::service::Service;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::settings::Settings;

/// How long a request is repeated before it counts as failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client of identity and commerce.
pub(super) struct Api {
    http: reqwest::Client,
    identity: String,
    commerce: String,
    email: String,
    password: SecretString,
    session: Mutex<Option<Session>>,
}

struct Session {
    access: String,
    refresh: Option<String>,
    renew_at: Instant,
}

/// A body and its `ETag`.
pub(super) struct Tagged {
    pub(super) tag: String,
    pub(super) body: Value,
}

impl Api {
    pub(super) fn new(http: reqwest::Client, settings: &Settings) -> Self {
        Self {
            http,
            identity: settings.base(Service::IDENTITY),
            commerce: settings.base(Service::COMMERCE),
            email: settings.email.clone(),
            password: settings.password.clone(),
            session: Mutex::new(None),
        }
    }

    /// A token that is good for another minute.
    pub(super) async fn token(&self) -> anyhow::Result<String> {
        let mut session = self.session.lock().await;
        if let Some(session) = session.as_ref().filter(|session| Instant::now() < session.renew_at) {
            return Ok(session.access.clone());
        }
        let refreshed = match session.take().and_then(|session| session.refresh) {
            Some(refresh) => self.grant(&json!({"grant_type": "refresh_token", "refresh_token": refresh})).await.ok(),
            None => None,
        };
        let password =
            json!({"grant_type": "password", "email": self.email, "password": self.password.expose_secret()});
        let fresh = match refreshed {
            Some(fresh) => fresh,
            None => self.grant(&password).await.context("cannot log in as the administrator")?,
        };
        Ok(session.insert(fresh).access.clone())
    }

    async fn grant(&self, body: &Value) -> anyhow::Result<Session> {
        let sent = self.persist(|| self.http.post(format!("{}/tokens", self.identity)).json(body)).await?;
        let tokens: Value = accepted(sent).await?.json().await?;
        let lifetime = tokens["expires_in"].as_u64().unwrap_or(60);
        Ok(Session {
            access: tokens["access_token"].as_str().context("identity answered without a token")?.to_owned(),
            refresh: tokens["refresh_token"].as_str().map(str::to_owned),
            renew_at: Instant::now() + Duration::from_secs(lifetime.saturating_sub(60).max(5)),
        })
    }

    /// Reads.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Tagged> {
        let response = accepted(self.send(Method::GET, path, |request| request).await?).await?;
        let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
        Ok(Tagged { tag, body: response.json().await? })
    }

    /// Every item of a list, page after page. `path` has its first parameter already.
    pub(super) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let from = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let mut page = self.get(&format!("{path}&limit=200{from}")).await?.body;
            if let Value::Array(more) = page["items"].take() {
                items.extend(more);
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return Ok(items);
            }
        }
    }

    /// Creates, once however often it is sent.
    pub(super) async fn create(&self, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
        let request = |request: RequestBuilder| request.header("idempotency-key", key).json(body);
        Ok(accepted(self.send(Method::POST, path, request).await?).await?.json().await?)
    }

    /// Reads the tag and changes what it belongs to; again when somebody else was faster.
    pub(super) async fn change(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        for _ in 0..5 {
            let tag = self.get(path).await?.tag;
            let response = self.change_tagged(method.clone(), path, &tag, body).await?;
            if response.status() != StatusCode::PRECONDITION_FAILED {
                return Ok(accepted(response).await?.json().await?);
            }
        }
        bail!("{path} is changed by others all the time")
    }

    /// Changes what has this tag.
    pub(super) async fn change_tagged(
        &self,
        method: Method,
        path: &str,
        tag: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Response> {
        let tagged = |request: RequestBuilder| {
            let request = request.header("if-match", tag);
            if let Some(body) = body { request.json(body) } else { request }
        };
        self.send(method, path, tagged).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        finish: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<Response> {
        let token = self.token().await?;
        let url = format!("{}{path}", self.commerce);
        let request = || finish(self.http.request(method.clone(), &url).bearer_auth(&token));
        self.persist(request).await.with_context(|| format!("{method} {url}"))
    }

    /// Sends again what was answered 429 or 503, or not at all, or while the same key was still running.
    async fn persist(&self, request: impl Fn() -> RequestBuilder) -> anyhow::Result<Response> {
        let until = Instant::now() + PATIENCE;
        loop {
            let wait = match request().send().await {
                Ok(response) if !is_busy(response.status()) => return Ok(response),
                Ok(response) if Instant::now() > until => return Ok(response),
                Ok(response) => retry_after(&response),
                Err(error) if Instant::now() > until => return Err(error.into()),
                Err(_) => Duration::from_secs(1),
            };
            tokio::time::sleep(wait).await;
        }
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

fn retry_after(response: &Response) -> Duration {
    let seconds = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1).clamp(1, 30))
}

/// The response, or what its problem says.
pub(super) async fn accepted(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let url = response.url().clone();
    let text = response.text().await.unwrap_or_default();
    bail!("{url} answered {status}: {text}")
}

/// An id, which JSON has as a text.
pub(super) fn id_of(value: &Value) -> anyhow::Result<i64> {
    let id = value.as_str().and_then(|text| text.parse().ok());
    id.with_context(|| format!("the API answered {value} where an id was expected"))
}
