//! `sluice observe`: what no service and no consumer can say of itself, as metrics: connectors, their slots, the
//! registry's drift, consumers that nobody runs.

mod connector;
mod fleet;
mod notes;
mod schema;
mod target;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use connectors::template::services;
use connectors::{Configuration, Connect};
use futures::future::join_all;
use platform::clock::SharedClock;
use platform::config::{Environment, Reader};
use platform::postgres::PoolSettings;
use schemas::ccompat::Ccompat;
use schemas::files::load;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::consume::CONSUMERS;
use crate::run::{self, Job, Process, Roles};
use notes::Notes;

/// What the job is called in a process.
pub(crate) const NAME: &str = "observe";

/// Between two looks, where `APP_ENV_OBSERVE_MS` does not say otherwise.
const EVERY: Duration = Duration::from_secs(10);
/// Every so many looks, the questions are asked that cost more: the whole registry, and what the brokers hold.
const SLOWLY: u64 = 6;
/// Between two comparisons of the targets with their sources, where `APP_ENV_RECONCILE_MS` does not say otherwise.
const COMPARED_EVERY: Duration = Duration::from_mins(10);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the reviewed files are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The folder of the connectors.
    #[arg(long, default_value = "connectors")]
    connectors: PathBuf,
    /// The folder of the topics.
    #[arg(long, default_value = "schemas")]
    schemas: PathBuf,
}

impl Default for Arguments {
    fn default() -> Self {
        Self { connectors: "connectors".into(), schemas: "schemas".into() }
    }
}

/// Runs until SIGTERM.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // inside `sluice dev` this is a failure that is counted; alone in the wrong folder it would see nothing for ever
    services(&arguments.connectors)?;
    load(&arguments.schemas)?;
    run::roles(environment, &Roles { observer: Some(arguments), ..Roles::default() }).await
}

/// The observer as a job of a process.
pub(crate) fn job(arguments: &Arguments, process: &Process) -> anyhow::Result<Job> {
    let mut reader = Reader::new(&process.environment);
    let connect = reader.required::<String>("APP_ENV_CONNECT_URL", "Kafka Connect's REST API");
    let registry = reader.required::<String>("APP_ENV_SCHEMA_REGISTRY_URL", "the registry's Confluent API");
    let control = reader.required::<SecretString>("BACKBONE__APP_ENV_DB_URL", "the fleet's control database");
    let every = reader.or("APP_ENV_OBSERVE_MS", EVERY, "time between two looks of the observer");
    let compared =
        reader.or("APP_ENV_RECONCILE_MS", COMPARED_EVERY, "time between two comparisons of targets; 0: none");
    let read = || Some((connect?, registry?, control?, every?, compared?));
    let ((connect, registry, control, every, compared), _) = reader.finish(read())?;
    let consumers = CONSUMERS.into_iter().map(|name| {
        let own = process.environment.scoped(name);
        let mut reader = Reader::new(&own);
        let settings = runtime::Settings::read(name, &mut reader);
        Ok((name, reader.finish(settings)?.0))
    });
    let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let observer = Observer {
        every,
        folders: arguments.clone(),
        environment: process.environment.clone(),
        clock: process.clock.clone(),
        connect: Connect::new(&connect, http.clone()),
        registry: Ccompat::new(&registry, http),
        control: pool(&control)?,
        consumers: consumers.collect::<anyhow::Result<_>>()?,
        databases: BTreeMap::new(),
        notes: Notes::default(),
    };
    let stop = process.lifecycle.stop();
    let comparing = target::watch(process.environment.clone(), compared, stop.clone());
    Ok(Box::pin(async move {
        let (watched, compared) = tokio::join!(observer.watch(stop), comparing);
        watched.and(compared)
    }))
}

/// Whom it asks, and what it was answered last.
struct Observer {
    every: Duration,
    folders: Arguments,
    environment: Environment,
    clock: SharedClock,
    connect: Connect,
    registry: Ccompat,
    control: PgPool,
    /// How each consumer speaks with the brokers.
    consumers: Vec<(&'static str, runtime::Settings)>,
    /// The source databases, each opened when its connector is first seen.
    databases: BTreeMap<String, PgPool>,
    notes: Notes,
}

impl Observer {
    async fn watch(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut looks = interval(self.every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for look in 0_u64.. {
            let one = async {
                looks.tick().await;
                self.look(look).await;
            };
            // a look is given up half way: it only reads, and what it waits for may take longer than a stop
            tokio::select! {
                () = stop.cancelled() => break,
                () = one => {}
            }
        }
        Ok(())
    }

    /// One look at everything. What cannot be asked is noted and holds up nothing else.
    async fn look(&mut self, look: u64) {
        let configurations = self.configurations();
        let connectors = async {
            let each = configurations.iter();
            join_all(each.map(async |one| tokio::join!(self.connector(one), self.slot(one)))).await;
        };
        let registry = async {
            if look.is_multiple_of(SLOWLY) {
                self.registry().await;
            }
        };
        // not at the first look: consumers that were started with it have not said anything yet
        let thorough = look % SLOWLY == SLOWLY - 1;
        tokio::join!(connectors, registry, self.fleet(thorough));
    }

    /// The connectors as the files are now, and a pool for each source.
    fn configurations(&mut self) -> Vec<Configuration> {
        let names = services(&self.folders.connectors).map_err(anyhow::Error::from);
        let names = self.notes.take("configuration", "", self.clock.now_ms(), names).unwrap_or_default();
        let mut configurations = Vec::new();
        for name in names {
            let configuration = self.configuration(&name);
            configurations.extend(self.notes.take("configuration", &name, self.clock.now_ms(), configuration));
        }
        configurations
    }

    fn configuration(&mut self, name: &str) -> anyhow::Result<Configuration> {
        if !self.databases.contains_key(name) {
            let own = self.environment.scoped(name);
            let mut reader = Reader::new(&own);
            let url = reader.required::<SecretString>("APP_ENV_DB_URL", "the source service's database");
            let (url, _) = reader.finish(url)?;
            self.databases.insert(name.to_owned(), pool(&url)?);
        }
        Ok(Configuration::load(&self.folders.connectors, name, &self.environment)?)
    }
}

fn pool(url: &SecretString) -> anyhow::Result<PgPool> {
    let settings = PoolSettings::named("sluice observe").max_connections(1).statement_timeout(PATIENCE);
    Ok(platform::postgres::connect(url.expose_secret(), &settings)?)
}

/// A count as a gauge takes it.
#[expect(clippy::cast_precision_loss, reason = "a gauge; bytes and counts stay far below 2^53")]
fn float(count: i64) -> f64 {
    count as f64
}
