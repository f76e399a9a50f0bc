//! Where the servers are, and the databases that the benchmarks make for themselves.

use anyhow::Context as _;
use platform::config::Environment;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

/// The tables with which every consumer's target remembers positions: the very file that migrations apply.
const CDC: &str = include_str!("../../migrations/cdc/0001_positions.sql");

/// The stack that `bench/run` started.
pub(crate) struct Stack {
    pub(crate) environment: Environment,
    admin: PgConnectOptions,
    admin_url: String,
}

impl Stack {
    /// What the process environment says.
    pub(crate) fn of_process() -> anyhow::Result<Self> {
        let environment = Environment::of_process();
        let admin_url = environment.get("APP_ENV_ADMIN_DB_URL").context("no stack: run bench/run")?.to_owned();
        Ok(Self { admin: admin_url.parse()?, environment, admin_url })
    }

    /// A variable that the stack's file has.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<&str> {
        self.environment.get(name).with_context(|| format!("the environment has no {name}: run bench/run"))
    }

    /// The URL of a database, as the administrator.
    pub(crate) fn url(&self, database: &str) -> String {
        let server = self.admin_url.rsplit_once('/').map_or(self.admin_url.as_str(), |(server, _)| server);
        format!("{server}/{database}")
    }

    /// How to connect to a database, as the administrator.
    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        self.admin.clone().database(database)
    }

    /// A connection to a database, as the administrator.
    pub(crate) async fn connection(&self, database: &str) -> anyhow::Result<PgConnection> {
        self.options(database).connect().await.with_context(|| format!("cannot connect to {database}"))
    }

    /// Drops a database and makes it again, empty.
    pub(crate) async fn fresh_database(&self, name: &str) -> anyhow::Result<()> {
        let mut connection = self.connection("postgres").await?;
        let statements = [format!("drop database if exists {name} with (force)"), format!("create database {name}")];
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        }
        connection.close().await?;
        Ok(())
    }

    /// A consumer's empty target and control databases.
    pub(crate) async fn fresh_target(&self, target: &str, control: &str) -> anyhow::Result<()> {
        self.fresh_database(target).await?;
        self.fresh_database(control).await?;
        let mut connection = self.connection(target).await?;
        sqlx::raw_sql(CDC).execute(&mut connection).await?;
        sqlx::raw_sql(crate::upsert::TABLE).execute(&mut connection).await?;
        connection.close().await?;
        let backbone = migrations::Database::named("backbone").context("no database is named backbone")?;
        migrations::migrate(backbone, &self.options(control)).await?;
        Ok(())
    }

    /// Writes out what is dirty, so that no run pays for the one before it.
    pub(crate) async fn checkpoint(&self) -> anyhow::Result<()> {
        let mut connection = self.connection("postgres").await?;
        sqlx::raw_sql("checkpoint").execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }
}
