//! `sluice consume <name>...`: consumers as they run in production, one process or several.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cache_invalidation::CacheInvalidation;
use inventory_defaults::InventoryDefaults;
use merchant_tax::MerchantTax;
use platform::clock::SharedClock;
use platform::config::{Environment, Reader};
use platform::postgres::PoolSettings;
use platform::redis::Cache;
use runtime::{Consumer, Settings, Surroundings};
use schemas::Registry;
use search_sync::SearchSync;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;

use crate::run::{self, Job, Process};

/// Every consumer, by its one name.
pub(crate) const CONSUMERS: [&str; 4] =
    [merchant_tax::NAME, search_sync::NAME, inventory_defaults::NAME, cache_invalidation::NAME];

/// How many connections a consumer may have to one database: as many as it has partitions in flight, and one to spare.
const CONNECTIONS: u32 = 8;
/// How long a consumer waits for a connection. It has nothing better to do, and on a machine under pressure an attempt that is
/// given up early only makes the next one slower.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The consumers to run.
    #[arg(required = true, value_parser = clap::builder::PossibleValuesParser::new(CONSUMERS))]
    names: Vec<String>,
}

/// Runs until SIGTERM.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let names: Vec<&str> = arguments.names.iter().map(String::as_str).collect();
    run::process(environment, &[], &names).await
}

/// What consumers are made from, whoever makes them.
pub(crate) struct Ground<'g> {
    pub(crate) environment: &'g Environment,
    pub(crate) cache: &'g Cache,
    pub(crate) http: &'g reqwest::Client,
    pub(crate) clock: &'g SharedClock,
}

/// What is done with a consumer, whichever it is.
pub(crate) trait Visit {
    type Output;

    fn visit<C: Consumer>(self, consumer: C, around: Surroundings) -> Self::Output;
}

/// Makes the consumer of a name for a visitor. Nothing is connected yet.
pub(crate) fn with<V: Visit>(name: &str, ground: &Ground<'_>, visitor: V) -> anyhow::Result<V::Output> {
    let environment = ground.environment.scoped(name);
    let mut parts = Parts { name, clock: ground.clock.clone(), reader: Reader::new(&environment) };
    match name {
        merchant_tax::NAME => {
            let target = parts.required("INVOICE__APP_ENV_DB_URL", "the database that it writes");
            let (around, [target], ()) = parts.finish([target], Some(()))?;
            Ok(visitor.visit(MerchantTax::new(target), around))
        }
        inventory_defaults::NAME => {
            let target = parts.required("INVENTORY__APP_ENV_DB_URL", "the database that it writes");
            let (around, [target], ()) = parts.finish([target], Some(()))?;
            Ok(visitor.visit(InventoryDefaults::new(target), around))
        }
        cache_invalidation::NAME => {
            let (around, [], ()) = parts.finish([], Some(()))?;
            let backbone = around.control.clone();
            Ok(visitor.visit(CacheInvalidation::new(ground.cache.clone(), backbone), around))
        }
        search_sync::NAME => {
            let (search, around) = search_sync(ground)?;
            Ok(visitor.visit(search, around))
        }
        other => anyhow::bail!("no consumer is named `{other}`; there are {}", CONSUMERS.join(", ")),
    }
}

/// The one consumer that is asked for more than every consumer is.
pub(crate) fn search_sync(ground: &Ground<'_>) -> anyhow::Result<(SearchSync, Surroundings)> {
    let environment = ground.environment.scoped(search_sync::NAME);
    let mut parts = Parts { name: search_sync::NAME, clock: ground.clock.clone(), reader: Reader::new(&environment) };
    let source = parts.required("COMMERCE_READER__APP_ENV_DB_URL", "commerce's database, as the role reader");
    let engine = search_sync::Settings::read(&mut parts.reader);
    let (around, [source], engine) = parts.finish([source], engine)?;
    let search = SearchSync::new(engine, ground.http.clone(), source, around.control.clone())?;
    Ok((search, around))
}

/// A consumer as a job of a process.
pub(crate) fn job(name: &str, process: &Process) -> anyhow::Result<Job> {
    let Process { environment, cache, http, clock, .. } = process;
    with(name, &Ground { environment, cache, http, clock }, Running(process))
}

struct Running<'p>(&'p Process);

impl Visit for Running<'_> {
    type Output = Job;

    fn visit<C: Consumer>(self, consumer: C, around: Surroundings) -> Job {
        let Self(process) = self;
        let home = consumer.home().clone();
        process.readiness.register_postgres(format!("{}: its database", consumer.name()), home);
        Box::pin(runtime::run(consumer, around, process.lifecycle.stop()))
    }
}

/// What a consumer is put together from, read in one go so that every fault is seen.
struct Parts<'p> {
    name: &'p str,
    clock: SharedClock,
    reader: Reader<'p>,
}

impl Parts<'_> {
    fn required(&mut self, variable: &str, what: &str) -> Option<SecretString> {
        self.reader.required(variable, what)
    }

    /// The surroundings, a pool for each database, and the consumer's own settings.
    fn finish<const N: usize, T>(
        mut self,
        databases: [Option<SecretString>; N],
        own: Option<T>,
    ) -> anyhow::Result<(Surroundings, [PgPool; N], T)> {
        let settings = Settings::read(self.name, &mut self.reader);
        let registry: Option<String> =
            self.reader.required("APP_ENV_SCHEMA_REGISTRY_URL", "the registry's Confluent API");
        let control: Option<SecretString> =
            self.reader.required("BACKBONE__APP_ENV_DB_URL", "the fleet's control database");
        let complete = || {
            let databases: Vec<_> = databases.into_iter().collect::<Option<_>>()?;
            Some((settings?, registry?, control?, databases, own?))
        };
        let ((settings, registry, control, databases, own), _) = self.reader.finish(complete())?;
        let pools = databases.iter().map(|url| pool(self.name, url)).collect::<anyhow::Result<Vec<_>>>()?;
        let around = Surroundings {
            settings,
            control: pool(self.name, &control)?,
            registry: Arc::new(Registry::new(&registry, reqwest::Client::builder())?),
            clock: self.clock,
        };
        let pools = pools.try_into().map_err(|_| anyhow::anyhow!("one pool was not made for each database"))?;
        Ok((around, pools, own))
    }
}

fn pool(name: &str, url: &SecretString) -> anyhow::Result<PgPool> {
    let settings = PoolSettings { acquire_timeout: PATIENCE, ..PoolSettings::named(name).max_connections(CONNECTIONS) };
    Ok(platform::postgres::connect(url.expose_secret(), &settings)?)
}
