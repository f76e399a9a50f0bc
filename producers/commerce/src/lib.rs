#![doc = include_str!("../README.md")]

pub mod address;
pub mod category;
pub mod integration;
pub mod media;
pub mod merchant;
pub mod product;
pub mod search;
pub mod settings;
pub mod slug;
pub mod tax_code;
pub mod value;

mod deletion;
mod list;
mod prepare;
mod units;

use std::fmt::{Arguments, Write};
use std::sync::Arc;

use platform::redis::Cache;
use platform::sealing::Keyring;
use platform::service::Service;
use platform::snowflake::Snowflake;
use shell::{Kit, OpenApiRouter};
use sqlx::PgPool;

pub use deletion::{DeleteParams, Removed};
pub use list::Sort;
pub use media::Store;
pub use prepare::prepare;
pub use settings::CommerceSettings;

/// What every handler of this service has.
#[derive(Clone)]
pub struct Commerce {
    /// The service's own database.
    pub pool: PgPool,
    /// Makes ids.
    pub snowflake: Snowflake,
    /// Seals credentials.
    pub keyring: Arc<Keyring>,
    /// Where media's bytes are.
    pub store: Store,
    /// Where summaries are kept, if anywhere.
    pub cache: Cache,
}

/// A path of this service, from the host's root.
pub(crate) fn path(rest: Arguments<'_>) -> String {
    let mut path = format!("{}/", Service::COMMERCE.base_path);
    // Writing into a text cannot fail.
    path.write_fmt(rest).ok();
    path
}

/// Every endpoint of this service, with paths below its base path.
#[must_use]
pub fn endpoints() -> OpenApiRouter<Commerce> {
    OpenApiRouter::new()
        .merge(merchant::routes())
        .merge(category::routes())
        .merge(product::routes())
        .merge(search::routes())
        .merge(integration::routes())
        .merge(media::routes())
        .merge(units::routes())
}

/// Everything that this service answers.
pub fn router(kit: &Kit, commerce: Commerce) -> axum::Router {
    shell::router(kit, endpoints(), commerce)
}
