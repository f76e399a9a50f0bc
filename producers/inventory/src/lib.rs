#![doc = include_str!("../README.md")]

pub mod level;
pub mod location;

mod prepare;

use shell::{Kit, OpenApiRouter, Scope};
use sqlx::{PgPool, Postgres, QueryBuilder};

pub use prepare::prepare;

/// What every handler of this service has.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The service's own database.
    pub pool: PgPool,
}

/// Every endpoint of this service, with paths below its base path.
#[must_use]
pub fn endpoints() -> OpenApiRouter<Inventory> {
    OpenApiRouter::new().merge(location::routes()).merge(level::routes())
}

/// Everything that this service answers.
pub fn router(kit: &Kit, inventory: Inventory) -> axum::Router {
    shell::router(kit, endpoints(), inventory)
}

/// Adds `and (..)` so that only rows of merchants in scope are left; `l` is the alias of table `location`. A location whose
/// merchant has not been seen yet has no creator, and is no owner's.
fn push_scope(query: &mut QueryBuilder<Postgres>, scope: &Scope) {
    if !scope.is_all() {
        query.push(" and (l.created_by = ").push_bind(scope.created_by());
        query.push(" or l.merchant_id = any(").push_bind(scope.merchants().to_vec()).push("))");
    }
}

/// Adds `and <column> = <id>` when there is an id.
fn push_id(query: &mut QueryBuilder<Postgres>, column: &str, id: Option<shell::Id>) {
    if let Some(id) = id {
        query.push(format!(" and {column} = ")).push_bind(id.0);
    }
}
