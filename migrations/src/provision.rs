//! Makes the roles and databases, as an administrator. Each role owns one database and cannot even connect to another's.

use std::collections::BTreeMap;

use platform::config::Environment;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, postgres::PgConnectOptions};

use crate::{DATABASES, Database, Error};

/// The role that Debezium connects as: it can replicate, read captured tables and write the heartbeat and signal tables.
pub const REPLICATION: &str = "replication";
/// The role that consumers read a source's aggregates with.
pub const READER: &str = "reader";
/// Nobody's login: an operator's own is a member of it, and may look at the control database and make plans.
pub const VIEWER: &str = "sluice_viewer";
/// The same for one who may carry plans out.
pub const OPERATOR: &str = "sluice_operator";

/// Held by whoever provisions a cluster, so that two processes starting together do not both create a role.
const PROVISION_LOCK: i64 = 0x736c_7569_6365_0001;

/// A password for each role, never printed.
#[derive(Clone, Default)]
pub struct Passwords(BTreeMap<&'static str, String>);

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Passwords").field(&self.0.keys()).finish()
    }
}

impl Passwords {
    /// Reads `APP_ENV_REPLICATION_PASSWORD` and `APP_ENV_DB_PASSWORD_<DATABASE|READER>`.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        let roles = DATABASES.into_iter().map(|database| database.name).chain([REPLICATION, READER]);
        let mut passwords = BTreeMap::new();
        for role in roles {
            let name = variable_of(role);
            let value = environment.get(&name).ok_or_else(|| Error::Password(role, name.clone()))?;
            passwords.insert(role, value.to_owned());
        }
        Ok(Self(passwords))
    }
}

fn variable_of(role: &str) -> String {
    if role == REPLICATION {
        "APP_ENV_REPLICATION_PASSWORD".to_owned()
    } else {
        format!("APP_ENV_DB_PASSWORD_{}", role.to_uppercase())
    }
}

/// Makes what is missing of roles, databases and rights, sets the passwords, and returns one line for each thing made.
pub async fn provision(admin: &PgConnectOptions, passwords: &Passwords) -> Result<Vec<String>, Error> {
    let mut connection = admin
        .clone()
        .application_name("sluice-provision")
        .connect()
        .await
        .map_err(Error::doing("connecting as administrator"))?;
    // A password is part of the statement that sets it: keep it out of the server's log. The lock ends with the connection.
    sqlx::raw_sql("set log_statement = 'none'; set log_min_error_statement = 'panic'")
        .execute(&mut connection)
        .await
        .map_err(Error::doing("silencing the statement log"))?;
    sqlx::query("select pg_advisory_lock($1)")
        .bind(PROVISION_LOCK)
        .execute(&mut connection)
        .await
        .map_err(Error::doing("waiting for another provisioning to end"))?;
    let mut made = Vec::new();
    for (role, password) in &passwords.0 {
        if ensure_role(&mut connection, role, password).await? {
            made.push(format!("role {role} created"));
        }
    }
    for group in [VIEWER, OPERATOR] {
        if ensure_group(&mut connection, group).await? {
            made.push(format!("role {group} created"));
        }
    }
    execute_formatted(&mut connection, "grant %I to %I", &[VIEWER, OPERATOR], "an operator may what a viewer may")
        .await?;
    for database in DATABASES {
        if ensure_database(&mut connection, database).await? {
            made.push(format!("database {} created", database.name));
        }
    }
    Ok(made)
}

async fn ensure_role(connection: &mut PgConnection, role: &str, password: &str) -> Result<bool, Error> {
    let exists: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(role)
        .fetch_one(&mut *connection)
        .await
        .map_err(Error::doing("reading roles"))?;
    let rights = if role == REPLICATION { "replication" } else { "noreplication" };
    let verb = if exists { "alter" } else { "create" };
    let template = format!("{verb} role %I login {rights} nosuperuser nocreatedb nocreaterole password %L");
    execute_formatted(connection, &template, &[role, password], &format!("role {role}")).await?;
    // The net under a transaction that was left open by a connection returned to its pool: see platform's postgres module.
    let timeout = "alter role %I set idle_in_transaction_session_timeout = '60s'";
    execute_formatted(connection, timeout, &[role], &format!("role {role}")).await?;
    Ok(!exists)
}

async fn ensure_group(connection: &mut PgConnection, group: &str) -> Result<bool, Error> {
    let exists: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(group)
        .fetch_one(&mut *connection)
        .await
        .map_err(Error::doing("reading roles"))?;
    if !exists {
        execute_formatted(connection, "create role %I nologin", &[group], &format!("role {group}")).await?;
    }
    Ok(!exists)
}

async fn ensure_database(connection: &mut PgConnection, database: Database) -> Result<bool, Error> {
    let name = database.name;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut *connection)
        .await
        .map_err(Error::doing("reading databases"))?;
    let doing = format!("database {name}");
    if !exists {
        let create = "create database %I owner %I encoding 'UTF8' template template0";
        execute_formatted(connection, create, &[name, name], &doing).await?;
    }
    execute_formatted(connection, "revoke all on database %I from public", &[name], &doing).await?;
    let guests = [(REPLICATION, database.captured), (READER, database.read), (VIEWER, database.operated)];
    for (role, invited) in guests {
        let statement =
            if invited { "grant connect on database %I to %I" } else { "revoke all on database %I from %I" };
        execute_formatted(connection, statement, &[name, role], &doing).await?;
    }
    Ok(!exists)
}

/// Runs a statement that takes no parameters, its names and literals quoted by the server itself.
async fn execute_formatted(
    connection: &mut PgConnection,
    template: &str,
    values: &[&str],
    doing: &str,
) -> Result<(), Error> {
    let statement: String = sqlx::query_scalar("select format($1, variadic $2::text[])")
        .bind(template)
        .bind(values)
        .fetch_one(&mut *connection)
        .await
        .map_err(Error::doing(doing))?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await.map_err(Error::doing(doing))?;
    Ok(())
}
