//! `sluice epoch`: a source was restored to an earlier point, and its log positions went back.

use std::path::PathBuf;
use std::process::ExitCode;

use connectors::connect::State;
use connectors::{Configuration, Connect};
use platform::config::{Environment, Reader};
use replay::epoch::{declare, next};
use replay::execute::audited;
use replay::range::client;
use replay::{Audit, Operation, Plan};
use runtime::Settings;

use crate::operator::{Execution, Output, control, plan_or_do};

/// Declares that what a source writes from now on is newer than everything before, although its log positions are lower: after
/// its database was restored to an earlier point, with its connector stopped.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The service whose database was restored.
    service: String,
    /// The folder of the connectors.
    #[arg(long, default_value = "connectors")]
    connectors: PathBuf,
    #[command(flatten)]
    execution: Execution,
    #[command(flatten)]
    output: Output,
}

/// Plans; declares when that was planned.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let control = control(environment)?;
    let configuration = Configuration::load(&arguments.connectors, &arguments.service, environment)?;
    let mut reader = Reader::new(environment);
    let connect = reader.required::<String>("APP_ENV_CONNECT_URL", "Kafka Connect's REST API");
    let settings = Settings::read("sluice", &mut reader);
    let ((connect, settings), _) = reader.finish(connect.zip(settings))?;
    let status = Connect::new(&connect, reqwest::Client::builder().build()?).status(&configuration.name).await?;
    let is_stopped = status.is_none_or(|status| matches!(status.connector.state, State::Stopped | State::Paused));
    anyhow::ensure!(
        is_stopped,
        "connector {name} is not stopped, and what it writes meanwhile would be of the wrong epoch: stop it first (curl -X PUT \
         {connect}/connectors/{name}/stop)",
        name = configuration.name
    );
    let starts = next(&control, &client(&settings), configuration.topics()).await?;
    let operation = Operation::Epoch { starts: starts.clone() };
    let work = async |audit: &Audit, plan: &Plan, reason: &str| {
        let work = declare(&control, &starts, reason);
        Ok(audited(audit, plan, reason, arguments.execution.ticket(), work).await??)
    };
    plan_or_do(environment, &arguments.service, operation, &arguments.execution, arguments.output, work).await
}
