//! The release binary `sluice`, as a benchmark runs it. Its environment is this process's own, which `bench/run` filled
//! from the stack's file as `make up` does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::process::{self, Running};
use crate::stack::Stack;

/// How long a process may take until it is ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// The binary, and where it finds schemas and connectors.
pub(crate) struct Sluice {
    binary: PathBuf,
    ops_port: u16,
    http: reqwest::Client,
}

impl Sluice {
    /// The one that was built with this program.
    pub(crate) fn built(stack: &Stack) -> anyhow::Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("sluice");
        anyhow::ensure!(binary.is_file(), "{} is not there: run bench/run, which builds it", binary.display());
        let ops_port = stack.get("APP_ENV_OPS_PORT")?.parse().context("APP_ENV_OPS_PORT is no port")?;
        Ok(Self { binary, ops_port, http: reqwest::Client::new() })
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> anyhow::Result<()> {
        let log = process::log(&name(words));
        let output = std::fs::File::create(&log)?;
        let mut command = self.command(words);
        let status = command.stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output).status()?;
        if !status.success() {
            bail!("sluice {} failed ({status}); see {}", words.join(" "), log.display());
        }
        Ok(())
    }

    /// Starts a role and waits until it says that it is ready.
    pub(crate) async fn start(&self, words: &[&str]) -> anyhow::Result<Running> {
        self.start_at(words, self.ops_port).await
    }

    /// Starts a role beside another one: its operations port is the next.
    pub(crate) async fn start_beside(&self, words: &[&str]) -> anyhow::Result<Running> {
        self.start_at(words, self.ops_port + 1).await
    }

    async fn start_at(&self, words: &[&str], ops_port: u16) -> anyhow::Result<Running> {
        let mut command = self.command(words);
        let mut running = Running::start(&name(words), command.env("APP_ENV_OPS_PORT", ops_port.to_string()))?;
        let url = format!("http://127.0.0.1:{ops_port}/readyz");
        let ready = async {
            loop {
                running.ensure_alive()?;
                let answer = self.http.get(&url).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let ready = tokio::time::timeout(PATIENCE, ready).await;
        ready.with_context(|| format!("sluice {} is not ready after {PATIENCE:?}", words.join(" ")))??;
        Ok(running)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        // the folders of schemas and connectors are named from the root
        command.args(words).current_dir(root());
        command
    }
}

/// The checkout.
pub(crate) fn root() -> &'static Path {
    const BENCH: &str = env!("CARGO_MANIFEST_DIR");
    Path::new(BENCH).parent().unwrap_or(Path::new(BENCH))
}

fn name(words: &[&str]) -> String {
    format!("sluice-{}", words.join("-"))
}
