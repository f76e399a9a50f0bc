//! Brings one database up to date, as that database's own role.

use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, postgres::PgConnectOptions};

use crate::{Database, Error};

/// What a run of [`migrate`] did to one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The database.
    pub database: &'static str,
    /// How many migrations were applied now.
    pub now: usize,
    /// How many had been applied before.
    pub before: usize,
}

/// Applies what is missing, under the migrator's lock: two processes at once apply each migration once.
pub async fn migrate(database: Database, url: &PgConnectOptions) -> Result<Applied, Error> {
    let mut connection = connect(database, url).await?;
    let mut applied = Applied { database: database.name, now: 0, before: 0 };
    for migrator in database.migrators() {
        let before = recorded(&mut connection, &migrator.table_name).await?;
        migrator
            .run_direct(None, &mut connection, false)
            .await
            .map_err(|source| Error::Migration { database: database.name, source: Box::new(source) })?;
        let after = recorded(&mut connection, &migrator.table_name).await?;
        applied.before += before;
        applied.now += after - before;
    }
    Ok(applied)
}

/// Writes the rows that every installation has.
pub async fn seed(database: Database, url: &PgConnectOptions) -> Result<(), Error> {
    let mut connection = connect(database, url).await?;
    sqlx::raw_sql(database.seeds())
        .execute(&mut connection)
        .await
        .map_err(Error::doing(format!("seeding {}", database.name)))?;
    Ok(())
}

/// A short name for the content of a database's migrations and seeds: equal content, equal name.
#[must_use]
pub fn fingerprint(database: Database) -> String {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325; // FNV-1a: no secret here, only a name
    let mut eat = |bytes: &[u8]| {
        for byte in bytes {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for migrator in database.migrators() {
        for migration in migrator.iter() {
            eat(&migration.version.to_be_bytes());
            eat(&migration.checksum);
        }
    }
    eat(database.seeds().as_bytes());
    format!("{state:016x}")
}

async fn connect(database: Database, url: &PgConnectOptions) -> Result<PgConnection, Error> {
    url.clone()
        .application_name("sluice-migrate")
        .connect()
        .await
        .map_err(Error::doing(format!("connecting to {}", database.name)))
}

/// How many migrations a table of the migrator records; none when there is no such table yet.
async fn recorded(connection: &mut PgConnection, table: &str) -> Result<usize, Error> {
    let doing = || Error::doing(format!("reading {table}"));
    let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(table)
        .fetch_one(&mut *connection)
        .await
        .map_err(doing())?;
    if !exists {
        return Ok(0);
    }
    // The name is one of the two constants in `embedded`.
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table} where success")))
        .fetch_one(&mut *connection)
        .await
        .map_err(doing())?;
    Ok(usize::try_from(count).unwrap_or_default())
}
