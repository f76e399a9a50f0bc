//! The search engine (Typesense), as far as a search needs it.

use std::sync::Arc;
use std::time::Duration;

use platform::config::Reader;
use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shell::Problem;
use url::Url;

use super::found::Answer;

/// A search that takes longer is given up: people type on.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What a caller waits at least, in seconds, before it asks an engine again that was not ready.
const RETRY: u32 = 2;

/// Where the engine is.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Where it answers. `APP_ENV_TYPESENSE_URL`.
    pub url: Url,
    /// A key that may search. `APP_ENV_TYPESENSE_API_KEY`.
    pub key: SecretString,
    /// The alias that `search-sync` fills. `APP_ENV_TYPESENSE_COLLECTION` (`products`).
    pub collection: String,
}

impl EngineSettings {
    /// Reads the settings. Without `APP_ENV_TYPESENSE_URL` there is no engine, and a search answers 503.
    pub fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let Some(url) = reader.optional("APP_ENV_TYPESENSE_URL", "where the search engine answers")? else {
            return Some(None);
        };
        let key = reader.required("APP_ENV_TYPESENSE_API_KEY", "the search engine's key");
        let collection = reader.or("APP_ENV_TYPESENSE_COLLECTION", "products".to_owned(), "the alias that is searched");
        Some(Some(Self { url, key: key?, collection: collection? }))
    }
}

/// The engine; clones share its connections.
#[derive(Clone)]
pub struct Engine(Arc<Parts>);

struct Parts {
    http: Client,
    url: String,
    key: HeaderValue,
    collection: String,
}

impl Engine {
    /// With an HTTP client of its own; see [`Engine::new`].
    #[must_use]
    pub fn open(settings: &EngineSettings) -> Option<Self> {
        Self::new(settings, Client::new())
    }

    /// Connects to nothing yet. Nothing when the key cannot be sent in a header.
    #[must_use]
    pub fn new(settings: &EngineSettings, http: Client) -> Option<Self> {
        let mut key = HeaderValue::from_str(settings.key.expose_secret()).ok()?;
        key.set_sensitive(true);
        // as a body, because a caller may work for more merchants than a line of a request holds
        let url = format!("{}/multi_search", settings.url.as_str().trim_end_matches('/'));
        Some(Self(Arc::new(Parts { http, url, key, collection: settings.collection.clone() })))
    }

    /// Asks one search.
    pub(super) async fn ask(&self, mut search: Value) -> Result<Answer, Problem> {
        let Parts { http, url, key, collection } = &*self.0;
        search["collection"] = json!(collection);
        let request = http.post(url).header("x-typesense-api-key", key.clone()).timeout(TIMEOUT);
        let body = json!({ "searches": [search] }).to_string();
        let response = request.body(body).send().await.map_err(|error| unreachable(&error))?;
        let (status, asked) = (response.status(), retry_after(&response));
        let text = response.text().await.map_err(|error| unreachable(&error))?;
        if !status.is_success() {
            return Err(refused(status, asked, &text));
        }
        let mut answer: Value = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
        let answer = answer["results"][0].take();
        // a search of several is refused inside an answer that is 200 as a whole
        let code = answer["code"].as_u64().and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
        if let Some(status) = code {
            return Err(refused(status, None, answer["error"].as_str().unwrap_or_default()));
        }
        serde_json::from_value(answer).map_err(|error| unreadable(&error))
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("url", &self.0.url).finish_non_exhaustive()
    }
}

/// 503 with `Retry-After`.
pub(super) fn unavailable(retry_after: u32) -> Problem {
    Problem::unavailable("SEARCH_UNAVAILABLE", "the search engine is not ready; try again", retry_after)
}

fn retry_after(response: &reqwest::Response) -> Option<u32> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

fn unreachable(error: &reqwest::Error) -> Problem {
    tracing::warn!(%error, "the search engine cannot be reached");
    unavailable(RETRY)
}

fn unreadable(error: &serde_json::Error) -> Problem {
    tracing::error!(%error, "the search engine's answer cannot be read; was its collection made by another version?");
    Problem::internal()
}

/// A search that cannot be read is a bug of ours. Anything else passes, or is for whoever operates the engine: a key that
/// is wrong, a collection that `search-sync` has not made.
fn refused(status: StatusCode, retry_after: Option<u32>, message: &str) -> Problem {
    if status == StatusCode::BAD_REQUEST {
        tracing::error!(%status, message, "the search engine does not understand our search");
        return Problem::internal();
    }
    tracing::error!(%status, message, "the search engine refused a search");
    unavailable(retry_after.unwrap_or(RETRY))
}
