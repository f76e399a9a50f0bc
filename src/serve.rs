//! `sluice serve <service>...`: HTTP services as they run in production, one process or several.

use std::process::ExitCode;
use std::sync::Arc;

use platform::config::{Environment, Reader};
use platform::random::SystemRandom;
use platform::service::Service;
use shell::ShellSettings;
use shell::authority::RemoteAuthority;
use shell::kit::Outside;
use url::Url;

use crate::run::{self, Job, Process};

/// Every service that exists, by its one name.
pub(crate) const SERVICES: [&str; 4] = ["identity", "commerce", "inventory", "invoice"];

/// Which.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The services to run.
    #[arg(required = true, value_parser = clap::builder::PossibleValuesParser::new(SERVICES))]
    names: Vec<String>,
}

/// Runs until SIGTERM.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let names: Vec<&str> = arguments.names.iter().map(String::as_str).collect();
    run::process(environment, &names, &[]).await
}

/// A service as a job of a process.
pub(crate) fn job(name: &str, process: &Process) -> anyhow::Result<Job> {
    let Some(service) = Service::named(name) else { anyhow::bail!("no service is named `{name}`") };
    let outside = Outside {
        authority: Arc::new(RemoteAuthority::new(identity_url(service, &process.environment)?.as_str())?),
        cache: process.cache.clone(),
        clock: process.clock.clone(),
        random: SystemRandom::shared(),
        lifecycle: process.lifecycle.clone(),
    };
    let prepare = match name {
        "identity" => identity::prepare,
        "commerce" => commerce::prepare,
        "inventory" => inventory::prepare,
        "invoice" => invoice::prepare,
        other => anyhow::bail!("`{other}` does not exist yet: there are {}", SERVICES.join(", ")),
    };
    let prepared = prepare(&process.environment, outside)?;
    watch(service, prepared.kit().settings(), process);
    Ok(Box::pin(async move { Ok(prepared.serve().await?) }))
}

fn identity_url(service: Service, environment: &Environment) -> anyhow::Result<Url> {
    let environment = environment.scoped(service.name);
    let mut reader = Reader::new(&environment);
    let url = shell::settings::identity_url(&mut reader);
    Ok(reader.finish(url)?.0)
}

/// The process is ready when each of its services says that it is.
fn watch(service: Service, settings: &ShellSettings, process: &Process) {
    let url = format!("http://{}{}/readyz", settings.address, service.base_path);
    let http = process.http.clone();
    process.readiness.register(service.name, move || {
        let asked = http.get(&url).send();
        async move {
            match asked.await {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(answer.text().await.unwrap_or_default()),
                Err(_) => Err("does not answer".to_owned()),
            }
        }
    });
}
