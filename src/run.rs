//! A process: its telemetry, its operations port, and the services and consumers that it runs until it is told to stop.

use std::process::ExitCode;

use anyhow::Context as _;
use futures::future::BoxFuture;
use platform::clock::{SharedClock, SystemClock};
use platform::config::{Environment, Invalid, Reader};
use platform::lifecycle::{DrainSettings, Lifecycle};
use platform::ops::{self, Readiness};
use platform::redis::Cache;
use platform::telemetry::{self, TelemetrySettings};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use crate::{consume, observe, serve};

/// Something that runs until the lifecycle stops.
pub(crate) type Job = BoxFuture<'static, anyhow::Result<()>>;

/// What the services and consumers of a process share.
pub(crate) struct Process {
    pub(crate) environment: Environment,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) readiness: Readiness,
    pub(crate) cache: Cache,
    pub(crate) clock: SharedClock,
    pub(crate) http: reqwest::Client,
}

/// Runs a command's future on a runtime of two threads: the work is waiting, and a process is one of many.
pub(crate) fn blocking<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(32)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(work)
}

/// Settings that a process has once, whatever it runs.
struct Settings {
    telemetry: TelemetrySettings,
    drain: DrainSettings,
    ops_port: u16,
    ops_host: String,
    redis: Option<Url>,
}

impl Settings {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let telemetry = TelemetrySettings::read(reader);
        let drain = DrainSettings::read(reader);
        let ops_port = reader.or("APP_ENV_OPS_PORT", 9_464_u16, "the port of /metrics, /healthz and /readyz");
        let ops_host = reader.or("APP_ENV_OPS_HOST", "127.0.0.1".to_owned(), "the address it listens on");
        let redis = reader.optional::<Url>("APP_ENV_REDIS_URL", "the cache");
        Some(Self { telemetry: telemetry?, drain: drain?, ops_port: ops_port?, ops_host: ops_host?, redis: redis? })
    }
}

/// What a process runs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Roles<'r> {
    pub(crate) services: &'r [&'r str],
    pub(crate) consumers: &'r [&'r str],
    pub(crate) observer: Option<&'r observe::Arguments>,
}

/// Runs services and consumers in this process until SIGTERM, then drains.
pub(crate) async fn process(
    environment: &Environment,
    services: &[&str],
    consumers: &[&str],
) -> anyhow::Result<ExitCode> {
    roles(environment, &Roles { services, consumers, observer: None }).await
}

/// Runs roles in this process until SIGTERM, then drains.
pub(crate) async fn roles(environment: &Environment, roles: &Roles<'_>) -> anyhow::Result<ExitCode> {
    let mut reader = Reader::new(environment);
    let settings = Settings::read(&mut reader);
    let (settings, printed) = reader.finish(settings)?;
    telemetry::install_logs(&settings.telemetry);
    let metrics = telemetry::install_metrics().context("cannot install the metrics recorder")?;
    let lifecycle = Lifecycle::new();
    let process = Process {
        environment: environment.clone(),
        readiness: Readiness::new(lifecycle.clone()),
        lifecycle: lifecycle.clone(),
        cache: settings.redis.as_ref().map_or_else(|| Ok(Cache::none()), |url| Cache::connect(url.as_str()))?,
        clock: SystemClock::shared(),
        http: reqwest::Client::builder().build().context("cannot make an HTTP client")?,
    };
    let jobs = prepare(&process, roles)?;
    let (services, consumers) = (roles.services.join(","), roles.consumers.join(","));
    tracing::info!(configuration = %printed, services, consumers, observes = roles.observer.is_some(), "starting");
    let address = (settings.ops_host.as_str(), settings.ops_port);
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address:?}"))?;
    let signals = tokio::spawn({
        let lifecycle = lifecycle.clone();
        async move { lifecycle.stop_on_signal(settings.drain).await }
    });
    let serving = tokio::spawn(ops::serve(listener, metrics, process.readiness.clone(), lifecycle.clone()));
    let ended = lifecycle.finish(together(jobs, &lifecycle), settings.drain.deadline).await;
    signals.abort();
    serving.abort();
    match ended {
        Some(ended) => ended.map(|()| ExitCode::SUCCESS),
        None => anyhow::bail!("not everything had stopped at the deadline; what was not committed is done again"),
    }
}

/// Puts all of it together. Wrong settings of one do not hide those of the next.
fn prepare(process: &Process, roles: &Roles<'_>) -> anyhow::Result<Vec<(String, Job)>> {
    let (mut jobs, mut faults) = (Vec::new(), Vec::new());
    let consumers = roles.consumers.iter().map(|name| (*name, consume::job(name, process)));
    let services = roles.services.iter().map(|name| (*name, serve::job(name, process)));
    let observer = roles.observer.iter().map(|arguments| (observe::NAME, observe::job(arguments, process)));
    for (name, prepared) in consumers.chain(services).chain(observer) {
        match prepared.map_err(anyhow::Error::downcast::<Invalid>) {
            Ok(job) => jobs.push((name.to_owned(), job)),
            Err(Ok(invalid)) => {
                let unheard = invalid.faults.into_iter().filter(|fault| !faults.contains(fault)).collect::<Vec<_>>();
                faults.extend(unheard);
            }
            Err(Err(error)) => return Err(error.context(name.to_owned())),
        }
    }
    if faults.is_empty() { Ok(jobs) } else { Err(Invalid { faults }.into()) }
}

/// Runs jobs until all have ended; the first that fails stops the others.
async fn together(jobs: Vec<(String, Job)>, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let mut running = JoinSet::new();
    for (name, job) in jobs {
        running.spawn(async move { job.await.with_context(|| name) });
    }
    let mut first = Ok(());
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended.map_err(anyhow::Error::from).and_then(|ended| ended) {
            tracing::error!(error = format!("{error:#}"), "stopping everything: {error:#}");
            lifecycle.stop().cancel();
            first = first.and(Err(error));
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wrong_with_one_does_not_hide_what_is_wrong_with_the_next() {
        platform::tls::install();
        let lifecycle = Lifecycle::new();
        let process = Process {
            environment: Environment::default(),
            readiness: Readiness::new(lifecycle.clone()),
            lifecycle,
            cache: Cache::none(),
            clock: SystemClock::shared(),
            http: reqwest::Client::new(),
        };
        let observer = observe::Arguments::default();
        let roles = Roles { services: &serve::SERVICES, consumers: &consume::CONSUMERS, observer: Some(&observer) };
        let refused = prepare(&process, &roles).err().expect("nothing is configured");
        let Invalid { faults } = refused.downcast().expect("what is wrong is the configuration");
        for variable in [
            "MERCHANT_TAX__APP_ENV_KAFKA_BROKERS",
            "SEARCH_SYNC__APP_ENV_TYPESENSE_URL",
            "IDENTITY__APP_ENV_CURSOR_SECRET",
            "COMMERCE__APP_ENV_MEDIA_URL",
            "INVOICE__APP_ENV_DB_URL",
            "APP_ENV_CONNECT_URL",
        ] {
            assert!(faults.iter().any(|fault| fault.contains(variable)), "{variable}: {faults:#?}");
        }
    }
}
