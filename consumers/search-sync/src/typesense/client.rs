//! Requests, and what their failures mean.

use std::time::Duration;

use anyhow::anyhow;
use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use runtime::Fault;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::settings::Settings;

/// One Typesense, one alias there, and what is read and written.
#[derive(Clone)]
pub(crate) struct Typesense {
    http: Client,
    base: String,
    key: HeaderValue,
    timeout: Duration,
    pub(super) alias: String,
    /// The alias, or one collection.
    pub(super) collection: String,
    pub(super) ready: OnceCell<()>,
}

impl Typesense {
    /// Connects to nothing yet.
    pub(crate) fn new(settings: &Settings, http: Client) -> anyhow::Result<Self> {
        let mut key = HeaderValue::from_str(settings.key.expose_secret())
            .map_err(|_| anyhow!("APP_ENV_TYPESENSE_API_KEY has characters that no header can hold"))?;
        key.set_sensitive(true);
        Ok(Self {
            http,
            base: settings.url.as_str().trim_end_matches('/').to_owned(),
            key,
            timeout: settings.timeout,
            alias: settings.collection.clone(),
            collection: settings.collection.clone(),
            ready: OnceCell::new(),
        })
    }

    /// The same, reading and writing one collection whatever the alias names.
    pub(crate) fn of(&self, collection: &str) -> Self {
        Self { collection: collection.to_owned(), ..self.clone() }
    }

    /// An answer of any length, piece by piece: each must come within the time of a request.
    pub(super) async fn pieces(
        &self,
        path: &str,
        mut seen: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let late = |_| unavailable("an answer that does not go on", None);
        let request = self.http.get(format!("{}{path}", self.base)).header("x-typesense-api-key", self.key.clone());
        let begun = tokio::time::timeout(self.timeout, request.send()).await.map_err(late)?;
        let mut response = accepted(begun.map_err(|error| unreachable(&error))?).await?;
        while let Some(piece) = tokio::time::timeout(self.timeout, response.chunk())
            .await
            .map_err(late)?
            .map_err(|error| unreachable(&error))?
        {
            seen(&piece)?;
        }
        Ok(())
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .header("x-typesense-api-key", self.key.clone())
            .timeout(self.timeout)
    }

    /// The answer's JSON.
    pub(super) async fn json(&self, request: RequestBuilder) -> Result<Value, Fault> {
        let text = self.text(request).await?;
        serde_json::from_str(&text).map_err(|error| unavailable(&format!("an answer that is no JSON: {error}"), None))
    }

    /// The answer's text.
    pub(super) async fn text(&self, request: RequestBuilder) -> Result<String, Fault> {
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let response = accepted(response).await?;
        response.text().await.map_err(|error| unreachable(&error))
    }

    /// The answer's JSON, or nothing where the answer is 404.
    pub(super) async fn find(&self, request: RequestBuilder) -> Result<Option<Value>, Fault> {
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let value = accepted(response).await?.json().await.map_err(|error| unreachable(&error))?;
        Ok(Some(value))
    }
}

/// A request that had no (whole) answer. What became of it is not known; imports and deletes may be repeated.
fn unreachable(error: &reqwest::Error) -> Fault {
    if error.is_builder() {
        return Fault::Unknown(anyhow!("cannot ask Typesense: {error}"));
    }
    // The cause alone says what happened ("connection refused").
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    unavailable(&cause.to_string(), None)
}

pub(super) fn unavailable(reason: &str, retry_after: Option<Duration>) -> Fault {
    Fault::Unavailable { reason: format!("Typesense: {reason}"), retry_after }
}

async fn accepted(response: Response) -> Result<Response, Fault> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let path = response.url().path().to_owned();
    let message = message(&response.text().await.unwrap_or_default());
    Err(judge(status, &path, &message, retry_after.map(Duration::from_secs)))
}

/// Typesense says what is wrong in `message`; of anything else the beginning.
fn message(body: &str) -> String {
    let message = serde_json::from_str::<Value>(body).ok().and_then(|json| Some(json["message"].as_str()?.to_owned()));
    message.unwrap_or_else(|| body.chars().take(200).collect())
}

/// What a status means: not ready, overloaded and out of resources pass; anything else about the request is a
/// configuration that no repetition mends.
fn judge(status: StatusCode, path: &str, message: &str, retry_after: Option<Duration>) -> Fault {
    let starved = status == StatusCode::UNPROCESSABLE_ENTITY && message.contains("Rejecting write");
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    if status.is_server_error() || passing || starved {
        return unavailable(&format!("{status}: {message}"), retry_after);
    }
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; check APP_ENV_TYPESENSE_API_KEY",
        StatusCode::NOT_FOUND => {
            "; the collection behind the alias is gone: restart search-sync, then snapshot commerce.public.product again"
        }
        _ => "",
    };
    Fault::Unknown(anyhow!("Typesense answered {status} at {path}: {message}{hint}"))
}

#[cfg(test)]
mod tests {
    use runtime::verdict::Verdict;

    use super::*;

    #[test]
    fn a_server_that_is_not_ready_is_asked_again_and_a_wrong_key_is_not() {
        let verdict = |status: u16, message| judge(StatusCode::from_u16(status).unwrap(), "/", message, None).verdict();
        for status in [408, 429, 500, 502, 503, 504] {
            assert_eq!(verdict(status, ""), Verdict::Retry, "{status}");
        }
        for status in [400, 401, 403, 404, 409, 422] {
            assert_eq!(verdict(status, ""), Verdict::Halt, "{status}");
        }
        assert_eq!(verdict(422, "Rejecting write: running out of resource type: OUT_OF_DISK"), Verdict::Retry);
    }

    #[test]
    fn the_message_is_typesenses_own() {
        assert_eq!(message(r#"{"message": "Not Ready or Lagging"}"#), "Not Ready or Lagging");
        assert_eq!(message("<html>"), "<html>");
    }
}
