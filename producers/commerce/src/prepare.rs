//! The service, put together from its configuration.

use std::sync::Arc;

use platform::config::{Environment, Reader};
use platform::sealing::Keyring;
use platform::service::Service;
use platform::snowflake::Snowflake;
use shell::kit::Outside;
use shell::{DatabaseSettings, Kit, Prepared, ShellSettings};
use sqlx::PgPool;

use crate::media::StoreError;
use crate::search::{self, Engine, EngineSettings};
use crate::{Commerce, CommerceSettings, Store};

/// Reads the settings and puts the service together. Fails with [`platform::config::Invalid`] where settings are wrong.
pub fn prepare(environment: &Environment, outside: Outside) -> anyhow::Result<Prepared> {
    let environment = environment.scoped(Service::COMMERCE.name);
    let mut reader = Reader::new(&environment);
    let (shell, database) = (ShellSettings::read(&mut reader, Service::COMMERCE), DatabaseSettings::read(&mut reader));
    let (own, engine) = (CommerceSettings::read(&mut reader), EngineSettings::read(&mut reader));
    let ((shell, database), (own, engine)) = {
        let (settings, printed) = reader.finish(shell.zip(database).zip(own.zip(engine)))?;
        tracing::info!(service = Service::COMMERCE.name, configuration = %printed, "configured");
        settings
    };
    let (kit, pool) = (Kit::new(Service::COMMERCE, shell, outside), database.pool(Service::COMMERCE)?);
    let commerce = commerce(&kit, &own, pool.clone())?;
    let snowflake = commerce.snowflake.clone();
    let router = search::with_engine(crate::router(&kit, commerce), engine.as_ref().and_then(Engine::open));
    Ok(Prepared::new(kit, pool, snowflake, router))
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
