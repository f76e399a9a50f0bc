//! The registry as its keeper sees it: subjects, versions and the compatibility rule, over the Confluent API.

use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

/// What every version must be with every other. A new reader reads old records when they are replayed, and an old
/// reader reads new ones when a migration runs before a rollout.
pub const LEVEL: &str = "FULL_TRANSITIVE";

/// Why the registry could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CcompatError {
    /// It did not answer.
    #[error("the registry at {address} does not answer: {reason}; is the stack up?")]
    Unreachable {
        /// Where it was asked.
        address: String,
        /// What was seen.
        reason: String,
    },
    /// It answered that it will not.
    #[error("the registry answered {status} to {request}: {message}")]
    Refused {
        /// What was asked.
        request: String,
        /// The status of HTTP.
        status: u16,
        /// What it said.
        message: String,
    },
}

/// A version that the registry holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Registered {
    /// The id that stands in records.
    pub id: u32,
    /// The subject's version, from 1.
    pub version: u32,
    /// The text, as it was registered.
    pub schema: String,
}

/// A registry at its Confluent-compatible address.
#[derive(Debug, Clone)]
pub struct Ccompat {
    address: String,
    client: Client,
}

impl Ccompat {
    /// A registry at `.../apis/ccompat/v7`.
    #[must_use]
    pub fn new(address: &str, client: Client) -> Self {
        Self { address: address.trim_end_matches('/').to_owned(), client }
    }

    /// Every subject.
    pub async fn subjects(&self) -> Result<Vec<String>, CcompatError> {
        let mut subjects: Vec<String> = self.ask(Method::GET, "/subjects", None).await?;
        subjects.sort();
        Ok(subjects)
    }

    /// Every version of a subject, oldest first; none when there is no such subject.
    pub async fn versions(&self, subject: &str) -> Result<Vec<Registered>, CcompatError> {
        let path = format!("/subjects/{subject}/versions");
        let numbers: Vec<u32> = match self.ask(Method::GET, &path, None).await {
            Err(CcompatError::Refused { status: 404, .. }) => return Ok(Vec::new()),
            numbers => numbers?,
        };
        let mut versions = Vec::with_capacity(numbers.len());
        for number in numbers {
            versions.push(self.ask(Method::GET, &format!("{path}/{number}"), None).await?);
        }
        Ok(versions)
    }

    /// Registers a text and returns its id; a text that is there already keeps the id that it has.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32, CcompatError> {
        #[derive(Deserialize)]
        struct Answer {
            id: u32,
        }
        let path = format!("/subjects/{subject}/versions");
        let answer: Answer =
            self.ask(Method::POST, &path, Some(json!({ "schema": schema, "schemaType": "AVRO" }))).await?;
        Ok(answer.id)
    }

    /// The rule for all subjects.
    pub async fn level(&self) -> Result<String, CcompatError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(alias = "compatibility")]
            #[serde(rename = "compatibilityLevel")]
            level: String,
        }
        let answer: Answer = self.ask(Method::GET, "/config", None).await?;
        Ok(answer.level)
    }

    /// Sets the rule for all subjects.
    pub async fn set_level(&self, level: &str) -> Result<(), CcompatError> {
        let _: Value = self.ask(Method::PUT, "/config", Some(json!({ "compatibility": level }))).await?;
        Ok(())
    }

    /// Forgets a subject, all versions and their content: for tests, which leave nothing behind.
    pub async fn forget(&self, subject: &str) -> Result<(), CcompatError> {
        for query in ["", "?permanent=true"] {
            match self.ask::<Value>(Method::DELETE, &format!("/subjects/{subject}{query}"), None).await {
                Ok(_) | Err(CcompatError::Refused { status: 404, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, CcompatError> {
        let request = format!("{method} {path}");
        let unreachable = |error: reqwest::Error| CcompatError::Unreachable {
            address: self.address.clone(),
            reason: deepest(&error),
        };
        let mut call = self.client.request(method, format!("{}{path}", self.address));
        if let Some(body) = body {
            call = call.json(&body);
        }
        let answer = call.send().await.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.text().await.map_err(unreachable)?;
        let refused =
            |message: String| CcompatError::Refused { request: request.clone(), status: status.as_u16(), message };
        if status.is_success() {
            return serde_json::from_str(&text)
                .map_err(|error| refused(format!("an answer that does not parse: {error}")));
        }
        Err(refused(message(status, &text)))
    }
}

/// The innermost cause: `connection refused` says more than `error sending request`.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn message(status: StatusCode, text: &str) -> String {
    let answer: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    match answer.get("message").and_then(Value::as_str) {
        Some(message) => message.to_owned(),
        None => status.canonical_reason().unwrap_or("no reason given").to_owned(),
    }
}
