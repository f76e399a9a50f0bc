//! `sluice connectors`: the Debezium connectors of the source services.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use connectors::apply::{PATIENCE, apply, plan, wait_until_running};
use connectors::brokers::Brokers;
use connectors::signal::{Signal, captured_table, send};
use connectors::status::{heading, standing};
use connectors::template::services;
use connectors::{Configuration, Connect};
use platform::config::{Environment, Reader};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use time::OffsetDateTime;

/// The Debezium connectors: reviewed configurations, and what runs of them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder of the connectors.
    #[arg(long, default_value = "connectors", global = true)]
    folder: PathBuf,
    /// The folder of the topics.
    #[arg(long, default_value = "schemas", global = true)]
    schemas: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make topics and connectors as reviewed, and wait until they run. Again does nothing.
    Apply {
        /// Only show what would change.
        #[arg(long)]
        diff: bool,
        /// Only these services; all when none is named.
        services: Vec<String>,
    },
    /// Show connectors, tasks, slots and the last event. Exit code 3 when something does not flow.
    Status,
    /// Restart a connector and its tasks.
    Restart {
        /// The service.
        service: String,
        /// Only what failed.
        #[arg(long)]
        failed: bool,
    },
    /// Make a connector wait. Its slot holds the database's log back meanwhile.
    Pause {
        /// The service.
        service: String,
    },
    /// Let a connector go on.
    Resume {
        /// The service.
        service: String,
    },
    /// Read a table again while changes go on.
    Snapshot {
        /// `<service>.<table>` or `<service>.<schema>.<table>`.
        table: String,
        /// Only the rows that this condition of SQL names, such as "id = 42".
        #[arg(long = "where")]
        condition: Option<String>,
    },
    /// Give any other command of Debezium's, such as pause-snapshot or log.
    Signal {
        /// The service.
        service: String,
        /// Debezium's name for the command.
        kind: String,
        /// What goes with it, as JSON.
        #[arg(default_value = "{}")]
        data: String,
    },
}

/// Something needs a look: neither success nor an error of the command itself.
const NEEDS_A_LOOK: u8 = 3;

/// Runs one verb.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let tools = Tools::new(environment, arguments)?;
    match &arguments.verb {
        Verb::Apply { diff, services } => tools.apply(*diff, services).await,
        Verb::Status => tools.status().await,
        Verb::Restart { service, failed } => {
            tools.connect.restart(tools.configuration(service)?.name.as_str(), *failed).await?;
            wait_until_running(&tools.connect, service, PATIENCE).await?;
            Ok(said(&format!("{service} runs")))
        }
        Verb::Pause { service } => {
            tools.connect.pause(&tools.configuration(service)?.name).await?;
            Ok(said(&format!("{service} waits; `sluice connectors resume {service}` lets it go on")))
        }
        Verb::Resume { service } => {
            tools.connect.resume(&tools.configuration(service)?.name).await?;
            wait_until_running(&tools.connect, service, PATIENCE).await?;
            Ok(said(&format!("{service} runs")))
        }
        Verb::Snapshot { table, condition } => tools.snapshot(table, condition.as_deref()).await,
        Verb::Signal { service, kind, data } => tools.signal(service, kind, data).await,
    }
}

struct Tools<'a> {
    environment: &'a Environment,
    arguments: &'a Arguments,
    connect: Connect,
    brokers: String,
}

impl<'a> Tools<'a> {
    fn new(environment: &'a Environment, arguments: &'a Arguments) -> anyhow::Result<Self> {
        let mut reader = Reader::new(environment);
        let connect = reader.required::<String>("APP_ENV_CONNECT_URL", "Kafka Connect's REST API");
        let brokers = reader.required::<String>("APP_ENV_KAFKA_BROKERS", "Kafka's bootstrap addresses");
        let ((connect, brokers), _) = reader.finish(connect.zip(brokers))?;
        let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).build()?;
        Ok(Self { environment, arguments, connect: Connect::new(&connect, client), brokers })
    }

    fn configuration(&self, service: &str) -> anyhow::Result<Configuration> {
        let known = services(&self.arguments.folder)?;
        anyhow::ensure!(
            known.iter().any(|name| name == service),
            "no connector is named {service}; there are {}",
            known.join(", ")
        );
        Ok(Configuration::load(&self.arguments.folder, service, self.environment)?)
    }

    /// The source's own database, as its own role: signals are rows of its own.
    fn database(&self, service: &str) -> anyhow::Result<PgPool> {
        let own = self.environment.scoped(service);
        let mut reader = Reader::new(&own);
        let url = reader.required::<String>("APP_ENV_DB_URL", "the source service's database");
        let (url, _) = reader.finish(url)?;
        Ok(PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(5)).connect_lazy(&url)?)
    }

    async fn apply(&self, only_show: bool, named: &[String]) -> anyhow::Result<ExitCode> {
        let topics = schemas::files::load(&self.arguments.schemas)?;
        let brokers = Brokers::new(&self.brokers)?;
        let services = if named.is_empty() { services(&self.arguments.folder)? } else { named.to_vec() };
        for service in services {
            let plan = plan(&self.connect, &brokers, self.configuration(&service)?, &topics).await?;
            println!("{plan}");
            if !only_show {
                apply(&self.connect, &brokers, &plan).await?;
                println!("connector {service} runs");
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn status(&self) -> anyhow::Result<ExitCode> {
        println!("{}", heading());
        let mut is_healthy = true;
        for service in services(&self.arguments.folder)? {
            let (configuration, database) = (self.configuration(&service)?, self.database(&service)?);
            let standing = standing(&self.connect, &configuration, &database, OffsetDateTime::now_utc()).await?;
            println!("{standing}");
            is_healthy &= standing.is_healthy();
        }
        Ok(if is_healthy { ExitCode::SUCCESS } else { ExitCode::from(NEEDS_A_LOOK) })
    }

    async fn snapshot(&self, name: &str, condition: Option<&str>) -> anyhow::Result<ExitCode> {
        let (service, table) =
            name.split_once('.').ok_or_else(|| anyhow::anyhow!("`{name}` is no <service>.<table>"))?;
        let configuration = self.configuration(service)?;
        let table = captured_table(&configuration.tables(), table)?;
        let signal = Signal::snapshot(&signal_id(), &table, condition);
        send(&self.database(service)?, &signal).await?;
        let rows = condition.map_or("all rows".to_owned(), |condition| format!("rows where {condition}"));
        Ok(said(&format!(
            "signal {}: {service} reads {rows} of {table} again, between the changes that go on",
            signal.id
        )))
    }

    async fn signal(&self, service: &str, kind: &str, data: &str) -> anyhow::Result<ExitCode> {
        let data = serde_json::from_str(data)?;
        self.configuration(service)?;
        let signal = Signal::other(&signal_id(), kind, data);
        send(&self.database(service)?, &signal).await?;
        Ok(said(&format!("signal {}: {kind} given to {service}", signal.id)))
    }
}

fn said(sentence: &str) -> ExitCode {
    println!("{sentence}");
    ExitCode::SUCCESS
}

/// Found again in the worker's log.
fn signal_id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("sluice-{}", since.as_nanos())
}
