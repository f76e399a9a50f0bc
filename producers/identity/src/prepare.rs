//! The service, put together from its configuration.

use std::sync::Arc;

use axum::Router;
use platform::config::{Environment, Reader};
use platform::sealing::Keyring;
use platform::service::Service;
use platform::snowflake::Snowflake;
use shell::kit::Outside;
use shell::{DatabaseSettings, Kit, OpenApiRouter, Prepared, ShellSettings, routes};
use sqlx::PgPool;

use crate::password::check::Checker;
use crate::policy::bundle::Bundles;
use crate::settings::Settings;
use crate::signing_key::ring::SigningKeys;
use crate::state::{App, Identity};
use crate::{housekeeping, me, policy, role, service_account, signing_key, token, user};

/// Reads the settings and puts the service together. Fails with [`platform::config::Invalid`] where settings are wrong.
/// `outside.authority` is not asked: identity is its own.
pub fn prepare(environment: &Environment, outside: Outside) -> anyhow::Result<Prepared> {
    let environment = environment.scoped(Service::IDENTITY.name);
    let mut reader = Reader::new(&environment);
    let (shell, database) = (ShellSettings::read(&mut reader, Service::IDENTITY), DatabaseSettings::read(&mut reader));
    let own = Settings::read(&mut reader);
    let (((shell, database), own), printed) = reader.finish(shell.zip(database).zip(own))?;
    tracing::info!(service = Service::IDENTITY.name, configuration = %printed, "configured");
    let pool = database.pool(Service::IDENTITY)?;
    let snowflake = Snowflake::unleased(Service::IDENTITY.node_id, outside.clock.clone());
    let app = assemble(&own, shell, outside, pool.clone(), snowflake.clone())?;
    let housekeeping = housekeeping::keep(app.identity.clone(), app.kit.lifecycle().stop());
    Ok(Prepared::new(app.kit.clone(), pool, snowflake, router(&app)).beside(housekeeping))
}

/// The parts, put together around this database. Touches no network.
pub fn assemble(
    own: &Settings,
    shell: ShellSettings,
    outside: Outside,
    pool: PgPool,
    snowflake: Snowflake,
) -> anyhow::Result<App> {
    let (clock, random) = (outside.clock.clone(), outside.random.clone());
    let sealing = Keyring::new(own.sealing.clone(), own.previous_sealing.iter().cloned().collect(), random.clone());
    let keys = SigningKeys::new(pool.clone(), sealing, random.clone(), clock.clone(), snowflake.clone());
    let bundles = Bundles::new(pool.clone(), keys.clone(), clock.clone());
    let passwords = Checker::new(own.password_checks, random.clone())?;
    let identity = Identity { pool, clock, random, snowflake, keys, bundles, passwords, limits: own.limits };
    let outside = Outside { authority: Arc::new(identity.clone()), ..outside };
    let kit = Kit::new(Service::IDENTITY, shell, outside);
    Ok(App { identity, kit, forwarded_hops: own.forwarded_hops })
}

/// Everything that identity answers.
pub fn router(app: &App) -> Router {
    shell::router(&app.kit, endpoints(), app.clone())
}

fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(token::grant::grant))
        .routes(routes!(token::grant::revoke))
        .routes(routes!(signing_key::jwks::jwks))
        .routes(routes!(policy::serve_bundle::bundle))
        .routes(routes!(me::get::get))
        .routes(routes!(me::set_password::set_password))
        .routes(routes!(user::create::create, user::list::list))
        .routes(routes!(user::list::get, user::update::update, user::delete::delete))
        .routes(routes!(user::set_roles::set_roles))
        .routes(routes!(user::set_merchants::set_merchants))
        .routes(routes!(role::create::create, role::list::list))
        .routes(routes!(role::list::get, role::update::update, role::delete::delete))
        .routes(routes!(policy::create::create, policy::list::list))
        .routes(routes!(policy::list::get, policy::update::update, policy::delete::delete))
        .routes(routes!(service_account::create::create, service_account::list::list))
        .routes(routes!(service_account::list::get, service_account::update::update, service_account::delete::delete))
        .routes(routes!(service_account::rotate::rotate))
        .routes(routes!(signing_key::list::list, signing_key::rotate::rotate))
}
