//! `sluice dev`: every service and every consumer in one process, as `make up` starts it.

use std::process::ExitCode;

use platform::config::Environment;

use crate::consume::CONSUMERS;
use crate::run;
use crate::serve::SERVICES;

/// Runs until SIGTERM.
pub(crate) async fn run(environment: &Environment) -> anyhow::Result<ExitCode> {
    run::process(environment, &SERVICES, &CONSUMERS).await
}
