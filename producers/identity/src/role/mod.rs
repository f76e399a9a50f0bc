//! Roles: names that policies are about.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod shown;
pub mod store;
pub(crate) mod update;

use shell::{Checks, Problem};
use sqlx::PgConnection;

/// 422 unless each of these roles exists. None of them is deleted before the transaction ends.
pub(crate) async fn grantable(connection: &mut PgConnection, names: &[String]) -> Result<(), Problem> {
    let found = store::lock(connection, names).await?;
    let mut checks = Checks::new();
    for (index, name) in names.iter().enumerate() {
        checks.that(found.contains(name), format!("/roles/{index}"), "NO_SUCH_ROLE", "there is no such role");
    }
    checks.finish()
}
