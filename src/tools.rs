//! What the operator's commands make consumers from: the same environment as the consumers, without a group.

use std::sync::Arc;
use std::time::Duration;

use platform::clock::{SharedClock, SystemClock};
use platform::config::{Environment, Reader};
use platform::postgres::PoolSettings;
use platform::redis::Cache;
use replay::trace::Library;
use runtime::Settings;
use schemas::Registry;
use schemas::ccompat::Ccompat;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use url::Url;

use crate::consume::Ground;

/// How long Redis may take: nobody else waits for an operator's question.
const PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct Tools<'e> {
    pub(crate) environment: &'e Environment,
    cache: Cache,
    http: reqwest::Client,
    clock: SharedClock,
}

impl<'e> Tools<'e> {
    pub(crate) fn new(environment: &'e Environment) -> anyhow::Result<Self> {
        let mut reader = Reader::new(environment);
        let redis = reader.optional::<Url>("APP_ENV_REDIS_URL", "the cache");
        let (redis, _) = reader.finish(redis)?;
        let cache = match redis {
            Some(url) => Cache::connect_with(url.as_str(), PATIENCE)?,
            None => Cache::none(),
        };
        Ok(Self { environment, cache, http: reqwest::Client::builder().build()?, clock: SystemClock::shared() })
    }

    pub(crate) fn ground(&self) -> Ground<'_> {
        let Self { environment, cache, http, clock } = self;
        Ground { environment, cache, http, clock }
    }

    /// The registry's subjects.
    pub(crate) fn subjects(&self) -> anyhow::Result<Ccompat> {
        let mut reader = Reader::new(self.environment);
        let address = reader.required::<String>("APP_ENV_SCHEMA_REGISTRY_URL", "the registry's Confluent API");
        let (address, _) = reader.finish(address)?;
        Ok(Ccompat::new(&address, self.http.clone()))
    }

    /// Where records are looked for.
    pub(crate) fn library(&self) -> anyhow::Result<Library> {
        let mut reader = Reader::new(self.environment);
        let settings = Settings::read("sluice", &mut reader);
        let address = reader.required::<String>("APP_ENV_SCHEMA_REGISTRY_URL", "the registry's Confluent API");
        let ((settings, address), _) = reader.finish(settings.zip(address))?;
        let registry = Registry::new(&address, reqwest::Client::builder())?;
        Ok(Library::new(&settings, Arc::new(registry), Ccompat::new(&address, self.http.clone())))
    }

    /// The database of a source service, for reading: as its role `reader` where there is one, else as the service.
    pub(crate) fn source(&self, service: &str) -> anyhow::Result<PgPool> {
        let as_reader = format!("{}_READER__APP_ENV_DB_URL", service.to_uppercase());
        let as_service = format!("{}__APP_ENV_DB_URL", service.to_uppercase());
        let mut reader = Reader::new(self.environment);
        let url = match reader.optional::<SecretString>(&as_reader, "the source's database, as reader") {
            Some(Some(url)) => Some(url),
            _ => reader.required(&as_service, "the source's database"),
        };
        let (url, _) = reader.finish(url)?;
        let settings = PoolSettings::named("sluice operator").max_connections(4);
        let settings = settings.statement_timeout(Duration::from_mins(2));
        Ok(platform::postgres::connect(url.expose_secret(), &settings)?)
    }
}
