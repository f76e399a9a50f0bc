//! The service, from its configuration to its last answer.

use std::sync::Arc;

use platform::config::{Environment, Invalid, Reader};
use platform::postgres::PoolSettings;
use platform::sealing::Keyring;
use platform::service::Service;
use platform::snowflake::Snowflake;
use secrecy::ExposeSecret;
use shell::kit::Outside;
use shell::{Kit, Server, ShellSettings};
use sqlx::PgPool;

use crate::media::StoreError;
use crate::search::{self, Engine, EngineSettings};
use crate::{Commerce, CommerceSettings, Store};

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The configuration is wrong: exit 64.
    #[error(transparent)]
    Configuration(#[from] Invalid),
    /// The database's URL is none.
    #[error("APP_ENV_DB_URL is no connection URL: {0}")]
    Database(#[from] sqlx::Error),
    /// The media's storage cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The port cannot be had, or the listener failed.
    #[error(transparent)]
    Listen(#[from] std::io::Error),
    /// What runs beside the requests panicked.
    #[error("the background work ended: {0}")]
    Background(#[from] tokio::task::JoinError),
}

/// Serves until the lifecycle in `outside` stops.
pub async fn serve(environment: &Environment, outside: Outside) -> Result<(), Refused> {
    let environment = environment.scoped(Service::COMMERCE.name);
    let mut reader = Reader::new(&environment);
    let (shell, own) = (ShellSettings::read(&mut reader, Service::COMMERCE), CommerceSettings::read(&mut reader));
    let engine = EngineSettings::read(&mut reader);
    let (((shell, own), engine), printed) = reader.finish(shell.zip(own).zip(engine))?;
    tracing::info!(service = Service::COMMERCE.name, configuration = %printed, "configured");
    let (kit, pool) = (Kit::new(Service::COMMERCE, shell, outside), pool(&own)?);
    let commerce = commerce(&kit, &own, pool.clone())?;
    let snowflake = commerce.snowflake.clone();
    let server = Server::bind(&kit).await?;
    let router = search::with_engine(crate::router(&kit, commerce), engine.as_ref().and_then(Engine::open));
    let background = tokio::spawn(shell::background(kit, pool, snowflake));
    server.serve(router).await?;
    background.await?;
    Ok(())
}

fn pool(settings: &CommerceSettings) -> Result<PgPool, sqlx::Error> {
    let pool = PoolSettings::named(Service::COMMERCE.name).max_connections(settings.database_connections);
    platform::postgres::connect(settings.database_url.expose_secret(), &pool)
}

fn commerce(kit: &Kit, settings: &CommerceSettings, pool: PgPool) -> Result<Commerce, StoreError> {
    let (current, previous) = (settings.application_secret.clone(), settings.previous_secrets.clone());
    Ok(Commerce {
        pool,
        snowflake: Snowflake::unleased(Service::COMMERCE.node_id, kit.clock().clone()),
        keyring: Arc::new(Keyring::new(current, previous, kit.random().clone())),
        store: Store::open(&settings.media_url)?,
        cache: kit.cache().clone(),
    })
}
