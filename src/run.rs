//! A process: its telemetry, its operations port, and the services and consumers that it runs until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use futures::future::BoxFuture;
use platform::clock::SystemClock;
use platform::config::{Environment, Reader};
use platform::lifecycle::{DrainSettings, Lifecycle};
use platform::ops::{self, Readiness};
use platform::postgres::PoolSettings;
use platform::telemetry::{self, TelemetrySettings};
use runtime::{Settings, Surroundings};
use schemas::Registry;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Every consumer, by its one name.
pub(crate) const CONSUMERS: [&str; 1] = [merchant_tax::NAME];

/// How many connections a consumer may have to one database.
const CONSUMER_CONNECTIONS: u32 = 8;

/// Runs a command's future on a runtime of two threads: the work is waiting, and a process is one of many.
pub(crate) fn blocking<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(work)
}

/// Settings that a process has once, whatever it runs.
struct ProcessSettings {
    telemetry: TelemetrySettings,
    drain: DrainSettings,
    ops_port: u16,
    ops_host: String,
}

impl ProcessSettings {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let telemetry = TelemetrySettings::read(reader);
        let drain = DrainSettings::read(reader);
        let ops_port = reader.or("APP_ENV_OPS_PORT", 9_464_u16, "the port of /metrics, /healthz and /readyz");
        let ops_host = reader.or("APP_ENV_OPS_HOST", "127.0.0.1".to_owned(), "the address it listens on");
        Some(Self { telemetry: telemetry?, drain: drain?, ops_port: ops_port?, ops_host: ops_host? })
    }
}

type Job = BoxFuture<'static, anyhow::Result<()>>;

/// Runs services and consumers in this process until SIGTERM, then drains. Configuration is complete before any port
/// opens.
pub(crate) async fn process(
    environment: &Environment,
    _services: &[String],
    consumers: &[String],
) -> anyhow::Result<ExitCode> {
    let mut reader = Reader::new(environment);
    let settings = ProcessSettings::read(&mut reader);
    let (settings, printed) = reader.finish(settings)?;
    telemetry::install_logs(&settings.telemetry);
    let metrics = telemetry::install_metrics().context("cannot install the metrics recorder")?;
    let lifecycle = Lifecycle::new();
    let readiness = Readiness::new(lifecycle.clone());
    let mut jobs: Vec<(String, Job)> = Vec::new();
    for name in consumers {
        jobs.push((name.clone(), consumer(name, environment, &lifecycle, &readiness)?));
    }
    tracing::info!(configuration = %printed, "starting");
    let address = (settings.ops_host.as_str(), settings.ops_port);
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address:?}"))?;
    let signals = tokio::spawn({
        let lifecycle = lifecycle.clone();
        async move { lifecycle.stop_on_signal(settings.drain).await }
    });
    let serving = tokio::spawn(ops::serve(listener, metrics, readiness, lifecycle.clone()));
    let failed = lifecycle.finish(together(jobs, &lifecycle), settings.drain.deadline).await;
    signals.abort();
    serving.abort();
    match failed {
        Some(Ok(())) => Ok(ExitCode::SUCCESS),
        Some(Err(error)) => Err(error),
        None => anyhow::bail!("not everything had stopped at the deadline; what was not committed is done again"),
    }
}

/// Runs jobs until all have ended; the first that fails stops the others.
async fn together(jobs: Vec<(String, Job)>, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    for (name, job) in jobs {
        running.spawn(async move { job.await.with_context(|| name) });
    }
    let mut first = Ok(());
    while let Some(ended) = running.join_next().await {
        let ended = ended.map_err(anyhow::Error::from).and_then(|ended| ended);
        if let Err(error) = ended {
            tracing::error!(error = format!("{error:#}"), "stopping everything: {error:#}");
            lifecycle.stop().cancel();
            first = first.and(Err(error));
        }
    }
    first
}

/// What every consumer reads from its environment.
struct ConsumerSettings {
    settings: Settings,
    registry: String,
    control: SecretString,
    target: SecretString,
}

impl ConsumerSettings {
    fn read(name: &str, target: &str, environment: &Environment) -> anyhow::Result<Self> {
        let own = environment.scoped(name);
        let mut reader = Reader::new(&own);
        let settings = Settings::read(name, &mut reader);
        let registry = reader.required("APP_ENV_SCHEMA_REGISTRY_URL", "the schema registry, its Confluent API");
        let control = reader.required("BACKBONE__APP_ENV_DB_URL", "the fleet's control database");
        let target = reader.required(target, "the database that this consumer writes");
        let read = || Some(Self { settings: settings?, registry: registry?, control: control?, target: target? });
        Ok(reader.finish(read())?.0)
    }

    fn pool(&self, name: &str, url: &SecretString) -> anyhow::Result<PgPool> {
        let settings = PoolSettings::named(name).max_connections(CONSUMER_CONNECTIONS);
        Ok(platform::postgres::connect(url.expose_secret(), &settings)?)
    }

    fn surroundings(&self, name: &str) -> anyhow::Result<Surroundings> {
        Ok(Surroundings {
            settings: self.settings.clone(),
            control: self.pool(name, &self.control)?,
            registry: Arc::new(Registry::new(&self.registry, reqwest::Client::builder())?),
            clock: SystemClock::shared(),
        })
    }
}

fn consumer(
    name: &str,
    environment: &Environment,
    lifecycle: &Lifecycle,
    readiness: &Readiness,
) -> anyhow::Result<Job> {
    let stop = lifecycle.stop();
    match name {
        merchant_tax::NAME => {
            let settings = ConsumerSettings::read(name, "INVOICE__APP_ENV_DB_URL", environment)?;
            let around = settings.surroundings(name)?;
            let target = settings.pool(name, &settings.target)?;
            readiness.register_postgres(format!("{name}: invoice"), target.clone());
            Ok(Box::pin(runtime::run(merchant_tax::MerchantTax::new(target), around, stop)))
        }
        other => anyhow::bail!("no consumer is named `{other}`: there are {}", CONSUMERS.join(", ")),
    }
}
