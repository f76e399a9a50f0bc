//! The service, from its configuration to its last answer.

use platform::config::{Environment, Invalid, Reader};
use platform::postgres::PoolSettings;
use platform::service::Service;
use platform::snowflake::Snowflake;
use secrecy::{ExposeSecret, SecretString};
use shell::kit::Outside;
use shell::{Kit, Server, ShellSettings};

use crate::Inventory;

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The configuration is wrong: exit 64.
    #[error(transparent)]
    Configuration(#[from] Invalid),
    /// The database's URL is none.
    #[error("APP_ENV_DB_URL is no connection URL: {0}")]
    Database(#[from] sqlx::Error),
    /// The port cannot be had, or the listener failed.
    #[error(transparent)]
    Listen(#[from] std::io::Error),
    /// What runs beside the requests panicked.
    #[error("the background work ended: {0}")]
    Background(#[from] tokio::task::JoinError),
}

/// Serves until the lifecycle in `outside` stops.
pub async fn serve(environment: &Environment, outside: Outside) -> Result<(), Refused> {
    let environment = environment.scoped(Service::INVENTORY.name);
    let mut reader = Reader::new(&environment);
    let (shell, own) = (ShellSettings::read(&mut reader, Service::INVENTORY), DatabaseSettings::read(&mut reader));
    let ((shell, own), printed) = reader.finish(shell.zip(own))?;
    tracing::info!(service = Service::INVENTORY.name, configuration = %printed, "configured");
    let kit = Kit::new(Service::INVENTORY, shell, outside);
    let settings = PoolSettings::named(Service::INVENTORY.name).max_connections(own.connections);
    let pool = platform::postgres::connect(own.url.expose_secret(), &settings)?;
    // Nothing is created here yet; the replica is leased all the same, so that readiness means the same in every service.
    let snowflake = Snowflake::unleased(Service::INVENTORY.node_id, kit.clock().clone());
    let server = Server::bind(&kit).await?;
    let router = crate::router(&kit, Inventory { pool: pool.clone() });
    let background = tokio::spawn(shell::background(kit, pool, snowflake));
    server.serve(router).await?;
    background.await?;
    Ok(())
}

/// Where the service's database is.
struct DatabaseSettings {
    /// As role `inventory`. `APP_ENV_DB_URL`.
    url: SecretString,
    /// How many connections at most. `APP_ENV_DB_CONNECTIONS` (16).
    connections: u32,
}

impl DatabaseSettings {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.required("APP_ENV_DB_URL", "inventory's database");
        let default = PoolSettings::named("").max_connections;
        let connections = reader.or("APP_ENV_DB_CONNECTIONS", default, "connections to the database");
        Some(Self { url: url?, connections: connections? })
    }
}
