//! `sluice consume <name>...`: consumers as they run in production, one process or several.

use std::process::ExitCode;

use platform::config::Environment;

use crate::run::{self, CONSUMERS};

/// Which.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The consumers to run.
    #[arg(required = true, value_parser = clap::builder::PossibleValuesParser::new(CONSUMERS))]
    names: Vec<String>,
}

/// Runs until SIGTERM.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    run::process(environment, &[], &arguments.names).await
}
