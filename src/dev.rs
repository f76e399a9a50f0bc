//! `sluice dev`: every service, every consumer and the observer in one process, as `make up` starts it.

use std::process::ExitCode;

use platform::config::Environment;

use crate::consume::CONSUMERS;
use crate::observe;
use crate::run::{self, Roles};
use crate::serve::SERVICES;

/// Runs until SIGTERM.
pub(crate) async fn run(environment: &Environment) -> anyhow::Result<ExitCode> {
    let observer = observe::Arguments::default();
    run::roles(environment, &Roles { services: &SERVICES, consumers: &CONSUMERS, observer: Some(&observer) }).await
}
