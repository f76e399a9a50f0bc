//! A service between its configuration and its first request.

use axum::Router;
use futures::future::{BoxFuture, join_all};
use platform::config::Reader;
use platform::postgres::{self, PoolSettings};
use platform::service::Service;
use platform::snowflake::Snowflake;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;

use crate::kit::Kit;
use crate::server::{Server, background};

/// Where a service's own database is.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// As the service's own role. `APP_ENV_DB_URL`.
    pub url: SecretString,
    /// How many connections at most. `APP_ENV_DB_CONNECTIONS` (16).
    pub connections: u32,
}

impl DatabaseSettings {
    /// Reads the settings.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.required("APP_ENV_DB_URL", "the service's own database");
        let default = PoolSettings::named("").max_connections;
        let connections = reader.or("APP_ENV_DB_CONNECTIONS", default, "connections to the database");
        Some(Self { url: url?, connections: connections? })
    }

    /// A pool that connects when it is first used.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn pool(&self, service: Service) -> Result<PgPool, sqlx::Error> {
        let settings = PoolSettings::named(service.name).max_connections(self.connections);
        postgres::connect(self.url.expose_secret(), &settings)
    }
}

/// A service that is put together and has not touched the network: whoever runs several finds every fault of all their
/// configurations before a port of any is open.
pub struct Prepared {
    kit: Kit,
    pool: PgPool,
    snowflake: Snowflake,
    router: Router,
    beside: Vec<BoxFuture<'static, ()>>,
}

/// Why a service ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The port cannot be had, or the listener failed.
    #[error(transparent)]
    Listen(#[from] std::io::Error),
    /// What runs beside the requests panicked.
    #[error("the background work ended: {0}")]
    Background(#[from] tokio::task::JoinError),
}

impl Prepared {
    /// A service that answers what `router` does, and keeps its replica number leased in the database of `pool`.
    #[must_use]
    pub fn new(kit: Kit, pool: PgPool, snowflake: Snowflake, router: Router) -> Self {
        Self { kit, pool, snowflake, router, beside: Vec::new() }
    }

    /// Runs `work` beside the requests too. It must end when the kit's lifecycle stops.
    #[must_use]
    pub fn beside(mut self, work: impl Future<Output = ()> + Send + 'static) -> Self {
        self.beside.push(Box::pin(work));
        self
    }

    /// What its handlers stand on.
    #[must_use]
    pub fn kit(&self) -> &Kit {
        &self.kit
    }

    /// Opens the port and serves until the kit's lifecycle stops.
    ///
    /// # Errors
    /// When the port cannot be had or something of it fails.
    pub async fn serve(self) -> Result<(), Ended> {
        let server = Server::bind(&self.kit).await?;
        let background = tokio::spawn(background(self.kit, self.pool, self.snowflake));
        let beside = tokio::spawn(join_all(self.beside));
        server.serve(self.router).await?;
        beside.await?;
        background.await?;
        Ok(())
    }
}
