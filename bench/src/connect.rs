//! Kafka Connect's REST interface, as far as a benchmark needs it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

/// A Connect worker.
pub(crate) struct Connect {
    url: String,
    client: reqwest::Client,
}

impl Connect {
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), client: reqwest::Client::new() }
    }

    /// The connectors whose names begin so.
    pub(crate) async fn named(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        let answer = self.client.get(format!("{}/connectors", self.url)).send().await?.error_for_status()?;
        let names: Vec<String> = answer.json().await?;
        Ok(names.into_iter().filter(|name| name.starts_with(prefix)).collect())
    }

    /// Applies a connector and waits until its tasks run.
    pub(crate) async fn apply(&self, name: &str, config: &Value) -> anyhow::Result<()> {
        let url = format!("{}/connectors/{name}/config", self.url);
        for _ in 0..60 {
            let answer = self.client.put(&url).json(config).send().await?;
            match answer.status().as_u16() {
                200 | 201 => return Ok(()),
                // the worker is rebalancing
                409 => tokio::time::sleep(Duration::from_millis(500)).await,
                _ => bail!("connector {name} was refused: {}", answer.text().await?),
            }
        }
        bail!("connector {name} was not taken: the worker never came to rest")
    }

    /// Waits until every task runs.
    pub(crate) async fn await_running(&self, name: &str) -> anyhow::Result<()> {
        let url = format!("{}/connectors/{name}/status", self.url);
        for _ in 0..600 {
            let answer = self.client.get(&url).send().await?;
            if answer.status().is_success() {
                let status: Value = answer.json().await?;
                let tasks = status["tasks"].as_array().context("a status without tasks")?;
                if let Some(failed) = tasks.iter().find(|task| task["state"] == "FAILED") {
                    bail!("{name} failed: {}", failed["trace"].as_str().unwrap_or_default());
                }
                if !tasks.is_empty() && tasks.iter().all(|task| task["state"] == "RUNNING") {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("{name} does not run")
    }

    /// Deletes a connector, if it is there, and waits until it is gone.
    pub(crate) async fn delete(&self, name: &str) -> anyhow::Result<()> {
        let url = format!("{}/connectors/{name}", self.url);
        for _ in 0..60 {
            let answer = self.client.delete(&url).send().await?;
            match answer.status().as_u16() {
                404 => return Ok(()),
                204 | 409 => tokio::time::sleep(Duration::from_millis(500)).await,
                _ => bail!("connector {name} was not deleted: {}", answer.text().await?),
            }
        }
        bail!("connector {name} was not deleted")
    }
}
