//! The databases there are, and the SQL of each, compiled in.

use sqlx::migrate::Migrator;

/// A database of the cluster, its SQL, and who may connect besides its owner (the role of the same name).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Database {
    /// Its name, which is its owner's name too.
    pub name: &'static str,
    /// Whether change data capture reads it: role `replication` may connect.
    pub captured: bool,
    /// Whether role `reader` may connect.
    pub read: bool,
    /// Whether operators may connect, with the rights of their role: `sluice_viewer` or `sluice_operator`.
    pub operated: bool,
    /// Whether consumers write it: it has schema `cdc`.
    pub target: bool,
}

impl Database {
    const fn plain(name: &'static str) -> Self {
        Self { name, captured: false, read: false, operated: false, target: false }
    }

    /// Looks a database up by name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        DATABASES.into_iter().find(|database| database.name == name)
    }

    /// The migrations to apply, in this order. Each set is recorded in a table of its own.
    pub(crate) fn migrators(self) -> Vec<Migrator> {
        let own = match self.name {
            "identity" => Some(sqlx::migrate!("./identity")),
            "commerce" => Some(sqlx::migrate!("./commerce")),
            "inventory" => Some(sqlx::migrate!("./inventory")),
            "invoice" => Some(sqlx::migrate!("./invoice")),
            "backbone" => Some(sqlx::migrate!("./backbone")),
            _ => None,
        };
        let positions = self.target.then(|| {
            let mut positions = sqlx::migrate!("./cdc");
            positions.dangerous_set_table_name("_sqlx_migrations_cdc");
            positions
        });
        own.into_iter().chain(positions).collect()
    }

    /// The rows that every installation has: `seeds/<database>.sql`; empty where there are none.
    pub(crate) const fn seeds(self) -> &'static str {
        match self.name.as_bytes() {
            b"identity" => include_str!("../seeds/identity.sql"),
            b"commerce" => include_str!("../seeds/commerce.sql"),
            _ => "",
        }
    }
}

/// Every database of the cluster: one per service that keeps anything, and the fleet's control database.
pub const DATABASES: [Database; 9] = [
    Database { captured: true, ..Database::plain("identity") },
    Database { captured: true, read: true, ..Database::plain("commerce") },
    Database::plain("sale"),
    Database::plain("pricing"),
    Database { target: true, ..Database::plain("inventory") },
    Database::plain("ledger"),
    Database::plain("outreach"),
    Database { target: true, ..Database::plain("invoice") },
    Database { operated: true, ..Database::plain("backbone") },
];
