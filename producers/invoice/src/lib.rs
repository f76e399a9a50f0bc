#![doc = include_str!("../README.md")]

pub mod tax_info;

mod prepare;

use shell::{Kit, OpenApiRouter};
use sqlx::PgPool;

pub use prepare::prepare;

/// What every handler of this service has.
#[derive(Debug, Clone)]
pub struct Invoice {
    /// The service's own database.
    pub pool: PgPool,
}

/// Every endpoint of this service, with paths below its base path.
#[must_use]
pub fn endpoints() -> OpenApiRouter<Invoice> {
    OpenApiRouter::new().merge(tax_info::routes())
}

/// Everything that this service answers.
pub fn router(kit: &Kit, invoice: Invoice) -> axum::Router {
    shell::router(kit, endpoints(), invoice)
}
