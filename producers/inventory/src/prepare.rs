//! The service, put together from its configuration.

use platform::config::{Environment, Reader};
use platform::service::Service;
use platform::snowflake::Snowflake;
use shell::kit::Outside;
use shell::{DatabaseSettings, Kit, Prepared, ShellSettings};

use crate::Inventory;

/// Reads the settings and puts the service together. Fails with [`platform::config::Invalid`] where settings are wrong.
pub fn prepare(environment: &Environment, outside: Outside) -> anyhow::Result<Prepared> {
    let environment = environment.scoped(Service::INVENTORY.name);
    let mut reader = Reader::new(&environment);
    let (shell, database) = (ShellSettings::read(&mut reader, Service::INVENTORY), DatabaseSettings::read(&mut reader));
    let ((shell, database), printed) = reader.finish(shell.zip(database))?;
    tracing::info!(service = Service::INVENTORY.name, configuration = %printed, "configured");
    let (kit, pool) = (Kit::new(Service::INVENTORY, shell, outside), database.pool(Service::INVENTORY)?);
    // Nothing is created here yet; the replica is leased all the same, so that readiness means the same in every service.
    let snowflake = Snowflake::unleased(Service::INVENTORY.node_id, kit.clock().clone());
    let router = crate::router(&kit, Inventory { pool: pool.clone() });
    Ok(Prepared::new(kit, pool, snowflake, router))
}
