//! A fresh migrated database for each test, copied from a template that is made once for each content of the migrations.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, postgres::PgConnectOptions,
    postgres::PgPoolOptions,
};

/// Databases of tests that were killed are dropped by later runs after this long.
const LEFTOVER_AFTER: Duration = Duration::from_hours(1);

/// A database of one test's own, dropped with this value.
// No Debug: the URL holds a password.
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its URL, as the service's own role.
    pub url: String,
    /// A pool of up to eight connections to it, as the service's own role.
    pub pool: PgPool,
    admin: PgConnectOptions,
}

impl Database {
    /// How an administrator connects to it, for what the service's role may not do.
    #[must_use]
    pub fn as_administrator(&self) -> PgConnectOptions {
        self.admin.clone().database(&self.name)
    }

    /// How a login of one's own connects to it: made now, a member of `group`, and dropped when the cluster is.
    ///
    /// # Panics
    /// When the cluster refuses.
    pub async fn as_member_of(&self, group: &str) -> PgConnectOptions {
        let name = crate::unique("person");
        let password = format!("{:032x}", rand::random::<u128>());
        let mut connection = self.admin.clone().connect().await.expect("the stack's Postgres answers");
        execute(&mut connection, &format!("create role {name} login password '{password}' in role {group}")).await;
        connection.close().await.ok();
        self.admin.clone().database(&self.name).username(&name).password(&password)
    }

    /// How another role of the stack (`replication`, `reader`, another service) connects to it.
    #[must_use]
    pub fn as_role(&self, role: &str) -> PgConnectOptions {
        self.admin.clone().database(&self.name).username(role).password(&password(role))
    }
}

/// A fresh database with a service's tables (`commerce`, `identity`, `invoice`, `inventory`, `backbone`, ...), seeded.
///
/// # Panics
/// When there is no stack, or it refuses.
pub async fn database(service: &str) -> Database {
    let kind = migrations::Database::named(service).unwrap_or_else(|| panic!("no database is named {service}"));
    let admin: PgConnectOptions = setting("APP_ENV_ADMIN_DB_URL").parse().expect("the administrator's URL is one");
    let mut connection = admin.clone().connect().await.expect("the stack's Postgres answers: run make up");
    let template = ensure_template(&mut connection, &admin, kind).await;
    let name = crate::unique(&format!("bed_{service}"));
    let statement = format!("create database {name} template {template} owner {service}");
    execute(&mut connection, &statement).await;
    // A copy does not take the rights along.
    execute(&mut connection, &format!("revoke all on database {name} from public")).await;
    let guests = [
        (migrations::REPLICATION, kind.captured),
        (migrations::READER, kind.read),
        (migrations::VIEWER, kind.operated),
    ];
    for (role, invited) in guests {
        if invited {
            execute(&mut connection, &format!("grant connect on database {name} to {role}")).await;
        }
    }
    connection.close().await.ok();
    let options = admin.clone().database(&name).username(service).password(&password(service));
    let url = options.to_url_lossy().to_string();
    let pool = PgPoolOptions::new().max_connections(8).connect_lazy_with(options);
    Database { name, url, pool, admin }
}

/// The name of the template for this content, made under a lock where it is missing.
async fn ensure_template(
    connection: &mut PgConnection,
    admin: &PgConnectOptions,
    kind: migrations::Database,
) -> String {
    let template = format!("bed_template_{}_{}", kind.name, migrations::fingerprint(kind));
    if exists(connection, &template).await {
        return template;
    }
    sqlx::query("select pg_advisory_lock(hashtext($1))")
        .bind(&template)
        .execute(&mut *connection)
        .await
        .expect("the template's lock is had");
    if !exists(connection, &template).await {
        sweep(connection).await;
        make_template(connection, admin, kind, &template).await;
    }
    sqlx::query("select pg_advisory_unlock(hashtext($1))")
        .bind(&template)
        .execute(&mut *connection)
        .await
        .expect("the template's lock is given back");
    template
}

/// Made under another name and renamed when it is complete, so that one that was interrupted is never copied.
async fn make_template(
    connection: &mut PgConnection,
    admin: &PgConnectOptions,
    kind: migrations::Database,
    name: &str,
) {
    provision(admin).await;
    let draft = crate::unique("bed_draft");
    execute(connection, &format!("create database {draft} owner {} template template0", kind.name)).await;
    let options = admin.clone().database(&draft).username(kind.name).password(&password(kind.name));
    fill(kind, &options).await;
    execute(connection, &format!("alter database {draft} with allow_connections false")).await;
    execute(connection, &format!("alter database {draft} rename to {name}")).await;
}

/// Makes the roles, and an empty database of each service.
pub(crate) async fn provision(admin: &PgConnectOptions) {
    let passwords = migrations::Passwords::read(&crate::environment()).expect("the stack has every role's password");
    migrations::provision(admin, &passwords).await.expect("roles are made");
}

/// Makes a service's tables and writes the rows that every installation has.
pub(crate) async fn fill(kind: migrations::Database, options: &PgConnectOptions) {
    migrations::migrate(kind, options).await.expect("the migrations apply");
    migrations::seed(kind, options).await.expect("the seeds apply");
}

/// Drops what killed tests left behind, and templates of contents that were current more than a day ago.
async fn sweep(connection: &mut PgConnection) {
    let names: Vec<(String, bool)> = sqlx::query_as(
        "select datname::text, datname like 'bed\\_template\\_%' from pg_database
         where datname like 'bed\\_%' and (datname not like 'bed\\_template\\_%'
             or (pg_stat_file('base/' || oid || '/PG_VERSION', true)).modification < now() - interval '1 day')",
    )
    .fetch_all(&mut *connection)
    .await
    .expect("databases are listed");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for (name, _) in names.iter().filter(|(name, is_template)| *is_template || is_leftover(name, now)) {
        // Another process may sweep at the same time.
        sqlx::raw_sql(AssertSqlSafe(format!("drop database if exists {name} with (force)")))
            .execute(&mut *connection)
            .await
            .ok();
    }
}

/// Whether a name made by [`crate::unique`] tells a time that is long past.
fn is_leftover(name: &str, now: Duration) -> bool {
    let made = name.rsplit('_').nth(1).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    made.is_some_and(|made| now.saturating_sub(made) > LEFTOVER_AFTER)
}

async fn exists(connection: &mut PgConnection, name: &str) -> bool {
    sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(connection)
        .await
        .expect("databases are listed")
}

/// Names here are made of letters, digits and underscores by this crate.
async fn execute(connection: &mut PgConnection, statement: &str) {
    let executed = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await;
    executed.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

fn setting(name: &str) -> String {
    crate::environment().get(name).unwrap_or_else(|| panic!("the stack's environment has no {name}")).to_owned()
}

pub(crate) fn password(role: &str) -> String {
    match role {
        "replication" => setting("APP_ENV_REPLICATION_PASSWORD"),
        _ => setting(&format!("APP_ENV_DB_PASSWORD_{}", role.to_uppercase())),
    }
}

impl Drop for Database {
    /// On a thread with a runtime of its own: the test's may be going down. Failing is harmless, a later run sweeps.
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                // The server waits for every backend, also one that is being authenticated by a client of this test, which
                // stands still meanwhile. A database that is given up here can be dropped later.
                let admin = admin.options([("statement_timeout", "10s")]);
                let mut connection = admin.connect().await.map_err(std::io::Error::other)?;
                let statement = format!("drop database if exists {name} with (force)");
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.map_err(std::io::Error::other)
            })
        });
        dropping.join().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_long_ago_are_leftovers() {
        let now = Duration::from_hours(500_000);
        assert!(is_leftover("bed_commerce_1799990000_0a0b0c0d", now));
        assert!(!is_leftover("bed_commerce_1799999000_0a0b0c0d", now));
        assert!(!is_leftover("bed_something_else", now));
    }
}
