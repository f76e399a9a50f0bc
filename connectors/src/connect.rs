//! Kafka Connect's REST API, as much of it as is used.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Client, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::trace;

/// Why Connect did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It did not answer.
    #[error("connect at {address} does not answer: {reason}; is the stack up?")]
    Unreachable {
        /// Where it was asked.
        address: String,
        /// What was seen.
        reason: String,
    },
    /// It has no such connector.
    #[error("connect has no connector {0}; `sluice connectors apply` makes it")]
    NoSuchConnector(String),
    /// It answered that it will not.
    #[error("connect refuses ({status}): {message}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// The useful part of what it said.
        message: String,
    },
}

/// What a connector or one of its tasks is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Working.
    Running,
    /// Told to wait, its tasks kept.
    Paused,
    /// Told to stop, its tasks gone.
    Stopped,
    /// Given up; its trace says why.
    Failed,
    /// Not placed on a worker yet.
    Unassigned,
    /// Being restarted.
    Restarting,
    /// Being removed.
    Destroyed,
}

impl std::fmt::Display for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Failed => "FAILED",
            Self::Unassigned => "UNASSIGNED",
            Self::Restarting => "RESTARTING",
            Self::Destroyed => "DESTROYED",
        })
    }
}

/// A connector and its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// The connector itself.
    pub connector: Instance,
    /// Its tasks; Debezium for Postgres has one.
    pub tasks: Vec<Instance>,
}

/// A connector or a task on its worker.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Instance {
    /// What it is doing.
    pub state: State,
    /// Where.
    pub worker_id: String,
    /// Why it failed.
    pub trace: Option<String>,
}

impl Status {
    /// True when everything works.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.connector.state == State::Running
            && !self.tasks.is_empty()
            && self.tasks.iter().all(|task| task.state == State::Running)
    }

    /// Why it failed, in one line; none when nothing did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let instances = std::iter::once(&self.connector).chain(&self.tasks);
        let failed = instances.into_iter().find(|instance| instance.state == State::Failed)?;
        Some(trace::useful_line(failed.trace.as_deref().unwrap_or_default()))
    }
}

/// While the workers agree on who does what, Connect answers 409: asked again this often, this long apart.
const REBALANCE_ATTEMPTS: u32 = 40;
const REBALANCE_PAUSE: Duration = Duration::from_millis(500);

/// Connect at its REST address.
#[derive(Debug, Clone)]
pub struct Connect {
    address: String,
    client: Client,
}

impl Connect {
    /// Connect at an address such as `http://127.0.0.1:8083`.
    #[must_use]
    pub fn new(address: &str, client: Client) -> Self {
        Self { address: address.trim_end_matches('/').to_owned(), client }
    }

    /// The names of all connectors.
    pub async fn names(&self) -> Result<Vec<String>, ConnectError> {
        let mut names: Vec<String> = self.ask(Method::GET, "/connectors", None).await?;
        names.sort();
        Ok(names)
    }

    /// A connector's settings; none when there is no such connector.
    pub async fn configuration(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, ConnectError> {
        match self.ask(Method::GET, &format!("/connectors/{name}/config"), None).await {
            Err(ConnectError::Refused { status: 404, .. }) => Ok(None),
            settings => settings.map(Some),
        }
    }

    /// Makes a connector, or changes it. Connect validates first and refuses what cannot work.
    pub async fn put(&self, name: &str, settings: &BTreeMap<String, String>) -> Result<(), ConnectError> {
        let body = serde_json::json!(settings);
        let _: Value = self.ask(Method::PUT, &format!("/connectors/{name}/config"), Some(body)).await?;
        Ok(())
    }

    /// What a connector is doing; none while Connect has not placed it yet.
    pub async fn status(&self, name: &str) -> Result<Option<Status>, ConnectError> {
        match self.ask(Method::GET, &format!("/connectors/{name}/status"), None).await {
            Err(ConnectError::Refused { status: 404, .. }) => Ok(None),
            status => status.map(Some),
        }
    }

    /// Restarts a connector and its tasks, or only what failed.
    pub async fn restart(&self, name: &str, only_failed: bool) -> Result<(), ConnectError> {
        let path = format!("/connectors/{name}/restart?includeTasks=true&onlyFailed={only_failed}");
        self.tell(Method::POST, name, &path).await
    }

    /// Makes a connector wait. The slot stays, so the write-ahead log grows meanwhile.
    pub async fn pause(&self, name: &str) -> Result<(), ConnectError> {
        self.tell(Method::PUT, name, &format!("/connectors/{name}/pause")).await
    }

    /// Lets a connector go on.
    pub async fn resume(&self, name: &str) -> Result<(), ConnectError> {
        self.tell(Method::PUT, name, &format!("/connectors/{name}/resume")).await
    }

    /// Ends a connector's tasks and keeps its settings and offsets, which can then be altered.
    pub async fn stop(&self, name: &str) -> Result<(), ConnectError> {
        self.tell(Method::PUT, name, &format!("/connectors/{name}/stop")).await
    }

    /// Forgets a connector. Its offsets stay unless they were forgotten while it was stopped.
    pub async fn delete(&self, name: &str) -> Result<(), ConnectError> {
        self.tell(Method::DELETE, name, &format!("/connectors/{name}")).await
    }

    /// Forgets a stopped connector's offsets: when it is made again, it begins with a snapshot.
    pub async fn forget_offsets(&self, name: &str) -> Result<(), ConnectError> {
        self.tell(Method::DELETE, name, &format!("/connectors/{name}/offsets")).await
    }

    /// When the last event that Connect has noted was committed in the source, in microseconds since 1970. Offsets are
    /// noted every few seconds, and heartbeats count.
    pub async fn last_event(&self, name: &str) -> Result<Option<i64>, ConnectError> {
        let offsets: Value = match self.ask(Method::GET, &format!("/connectors/{name}/offsets"), None).await {
            Err(ConnectError::Refused { status: 404, .. }) => return Ok(None),
            offsets => offsets?,
        };
        Ok(offsets.pointer("/offsets/0/offset/ts_usec").and_then(Value::as_i64))
    }

    /// The names of all settings that a connector class knows.
    pub async fn known_settings(&self, class: &str) -> Result<Vec<String>, ConnectError> {
        #[derive(Deserialize)]
        struct Known {
            name: String,
        }
        let known: Vec<Known> = self.ask(Method::GET, &format!("/connector-plugins/{class}/config"), None).await?;
        Ok(known.into_iter().map(|setting| setting.name).collect())
    }

    async fn tell(&self, method: Method, name: &str, path: &str) -> Result<(), ConnectError> {
        match self.text(method, path, None).await {
            Err(ConnectError::Refused { status: 404, .. }) => Err(ConnectError::NoSuchConnector(name.to_owned())),
            told => told.map(drop),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, ConnectError> {
        let text = self.text(method, path, body).await?;
        serde_json::from_str(&text).map_err(|error| ConnectError::Refused {
            status: 200,
            message: format!("an answer to {path} that does not parse: {error}"),
        })
    }

    async fn text(&self, method: Method, path: &str, body: Option<Value>) -> Result<String, ConnectError> {
        let mut attempt = 1;
        loop {
            match self.once(method.clone(), path, body.as_ref()).await {
                Err(error) if is_rebalance(&error) && attempt < REBALANCE_ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(REBALANCE_PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    async fn once(&self, method: Method, path: &str, body: Option<&Value>) -> Result<String, ConnectError> {
        let unreachable = |error: reqwest::Error| ConnectError::Unreachable {
            address: self.address.clone(),
            reason: deepest(&error),
        };
        let mut call = self.client.request(method, format!("{}{path}", self.address));
        if let Some(body) = body {
            call = call.json(body);
        }
        let answer = call.send().await.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(text);
        }
        let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let message = answer.get("message").and_then(Value::as_str).unwrap_or("no reason given");
        Err(ConnectError::Refused { status: status.as_u16(), message: trace::refusal(message) })
    }
}

/// While the workers share out tasks anew, Connect answers 409, or 500 with this sentence where it learns of it halfway.
fn is_rebalance(error: &ConnectError) -> bool {
    match error {
        ConnectError::Refused { status: 409, .. } => true,
        ConnectError::Refused { status: 500, message } => message.contains("rebalance is expected"),
        _ => false,
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
