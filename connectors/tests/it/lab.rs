//! One test's own pipeline: database, connector, topics, subjects. All of it goes when the value does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use connectors::apply::{apply, plan};
use connectors::brokers::Brokers;
use connectors::{Configuration, Connect};
use schemas::ccompat::Ccompat;
use schemas::files::Topic;
use tempfile::TempDir;

/// The reviewed connector of a service, under names of its own.
pub(crate) struct Lab {
    pub(crate) connect: Connect,
    pub(crate) registry: Ccompat,
    pub(crate) configuration: Configuration,
    pub(crate) prefix: String,
    pub(crate) folder: TempDir,
    pub(crate) database: bed::Database,
}

pub(crate) fn setting(name: &str) -> String {
    bed::environment().get(name).unwrap_or_else(|| panic!("the stack's environment has no {name}")).to_owned()
}

pub(crate) fn client() -> reqwest::Client {
    platform::tls::install();
    reqwest::Client::builder().timeout(Duration::from_mins(1)).build().unwrap()
}

pub(crate) fn brokers() -> Brokers {
    Brokers::new(&setting("APP_ENV_KAFKA_BROKERS")).unwrap()
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Lab {
    /// Commerce's database and connector, capturing these tables.
    pub(crate) async fn new(tables: &[&str]) -> Self {
        let database = bed::database("commerce").await;
        let prefix = bed::unique("lab");
        let file = Configuration::load(&repository().join("connectors"), "commerce", &bed::environment()).unwrap();
        let mut configuration = file
            .with("database.dbname", &database.name)
            .with("topic.prefix", &prefix)
            .with("slot.name", &format!("sluice_{prefix}"))
            .with("table.include.list", &tables.join(","));
        configuration.name.clone_from(&prefix);
        let folder = folders(&prefix, tables);
        let (connect, registry) = (Connect::new(&setting("APP_ENV_CONNECT_URL"), client()), registry());
        Self { connect, registry, configuration, prefix, folder, database }
    }

    /// The folders of its topics: the reviewed files with its prefix in place of commerce.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        schemas::files::load(self.folder.path()).unwrap()
    }

    pub(crate) fn topic(&self, table: &str) -> String {
        format!("{}.{table}", self.prefix)
    }

    pub(crate) async fn apply(&self) -> Result<(), connectors::apply::ApplyError> {
        let brokers = brokers();
        let plan = plan(&self.connect, &brokers, self.configuration.clone(), &self.topics()).await?;
        apply(&self.connect, &brokers, &plan).await
    }

    /// Runs statements as the owner of the tables.
    pub(crate) async fn execute(&self, statements: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&self.database.pool).await.unwrap();
    }
}

pub(crate) fn registry() -> Ccompat {
    Ccompat::new(&setting("APP_ENV_SCHEMA_REGISTRY_URL"), client())
}

/// Copies the folders of some of commerce's tables under another prefix, with two partitions for speed.
fn folders(prefix: &str, tables: &[&str]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for table in tables {
        let from = repository().join("schemas").join(format!("commerce.{table}"));
        let to = root.path().join(format!("{prefix}.{table}"));
        std::fs::create_dir_all(to.join("versions")).unwrap();
        for file in ["key.avsc", "value.avsc", "topic.json"] {
            copy(&from.join(file), &to.join(file), prefix);
        }
        for entry in std::fs::read_dir(from.join("versions")).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join("versions").join(&name), &to.join("versions").join(&name), prefix);
        }
    }
    root
}

fn copy(from: &Path, to: &Path, prefix: &str) {
    let text = std::fs::read_to_string(from).unwrap();
    let text = text
        .replace("commerce.public.", &format!("{prefix}.public."))
        .replace("\"partitions\": 6", "\"partitions\": 2");
    std::fs::write(to, text).unwrap();
}

/// Everything with the prefix in its name.
async fn clear(configuration: &Configuration, admin: sqlx::postgres::PgConnectOptions) {
    // Clients of its own: the connections of the test's client belong to the test's runtime, which waits for this one.
    let (connect, registry) = (Connect::new(&setting("APP_ENV_CONNECT_URL"), client()), registry());
    let prefix = configuration.name.clone();
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_lazy_with(admin);
    if let Err(error) = connectors::delete::delete(&connect, configuration, &pool).await {
        eprintln!("{prefix} was not removed: {error}");
    }
    pool.close().await;
    let subjects = registry.subjects().await.unwrap_or_default();
    for subject in subjects.iter().filter(|subject| subject.contains(&prefix)) {
        registry.forget(subject).await.ok();
    }
    let mut topics: Vec<String> = configuration.topics();
    topics.push(format!("__debezium-heartbeat.{prefix}"));
    topics.push(format!("{prefix}.public.debezium_signal"));
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    brokers().delete(&names).await.ok();
}

impl Drop for Lab {
    /// On a thread with a runtime of its own: the test's may be going down. A slot that stayed would hold the log back
    /// for every test after this one.
    fn drop(&mut self) {
        let (configuration, admin) = (self.configuration.clone(), self.database.as_administrator());
        let clearing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(clear(&configuration, admin));
        });
        clearing.join().ok();
    }
}
