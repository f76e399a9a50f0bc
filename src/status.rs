//! `sluice status`: the whole backbone on one screen.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use connectors::status::{heading, standing};
use connectors::template::services;
use connectors::{Configuration, Connect};
use platform::config::{Environment, Reader};
use replay::{Fleet, Owned};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::consume::CONSUMERS;
use crate::operator::{NEEDS_A_LOOK, Output, control};

/// Sources, consumers, what is parked. Exit code 3 when something needs a look.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder of the connectors.
    #[arg(long, default_value = "connectors")]
    connectors: PathBuf,
    /// Again every two seconds, until interrupted.
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    #[command(flatten)]
    output: Output,
}

/// One screen.
#[derive(Default)]
struct Screen {
    lines: Vec<String>,
    problems: Vec<String>,
    json: serde_json::Map<String, Value>,
}

impl Screen {
    /// A line that needs a look, the command that helps, and the page of the alert that tells of it.
    fn problem(&mut self, what: &str, help: &str, alert: &str) {
        self.problems.push(format!("{what}\n    {help}\n    docs/runbooks/{alert}.md"));
    }
}

/// Reads everything and prints it.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let control = control(environment)?;
    loop {
        let screen = look(environment, arguments, &control).await?;
        if arguments.watch {
            print!("\x1b[2J\x1b[H");
        }
        if arguments.output.json {
            println!("{}", Value::Object(screen.json));
        } else {
            println!("{}", screen.lines.join("\n"));
            for problem in &screen.problems {
                println!("\n  ! {problem}");
            }
        }
        if !arguments.watch {
            return Ok(if screen.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NEEDS_A_LOOK) });
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn look(environment: &Environment, arguments: &Arguments, control: &PgPool) -> anyhow::Result<Screen> {
    let mut screen = Screen::default();
    sources(environment, arguments, &mut screen).await?;
    let fleet = Fleet::read(control, None).await?;
    let parked: Vec<(String, String, i64)> =
        sqlx::query_as("select consumer, cause, count(*) from parked_change group by 1, 2 order by 1, 2")
            .fetch_all(control)
            .await?;
    screen.lines.push(String::new());
    screen
        .lines
        .push(format!("{:<20} {:>10} {:>10} {:>9} {:>7}  state", "consumer", "partitions", "lag", "seconds", "parked"));
    for consumer in CONSUMERS {
        let owned: Vec<&Owned> = fleet.0.iter().filter(|owned| owned.consumer == consumer).collect();
        let aside = parked.iter().filter(|(name, ..)| name == consumer).map(|(.., count)| count).sum::<i64>();
        consumers(consumer, &owned, aside, &mut screen);
    }
    screen.json.insert("partitions".to_owned(), serde_json::to_value(&fleet.0)?);
    let counted =
        parked.iter().map(|(consumer, cause, count)| json!({ "consumer": consumer, "cause": cause, "count": count }));
    screen.json.insert("parked".to_owned(), counted.collect());
    screen.json.insert("problems".to_owned(), json!(screen.problems));
    Ok(screen)
}

fn consumers(consumer: &str, owned: &[&Owned], parked: i64, screen: &mut Screen) {
    let lag: i64 = owned.iter().map(|owned| owned.standing.lag_records).sum();
    let seconds = owned.iter().map(|owned| owned.standing.lag_seconds).fold(0.0, f64::max);
    let mut states: Vec<&str> = owned.iter().map(|owned| owned.standing.state.as_str()).collect();
    states.sort_unstable();
    states.dedup();
    let state = if states.is_empty() { "does not run".to_owned() } else { states.join(", ") };
    screen.lines.push(format!("{consumer:<20} {:>10} {lag:>10} {seconds:>9.1} {parked:>7}  {state}", owned.len()));
    if owned.is_empty() {
        screen.problem(
            &format!("{consumer} does not run"),
            &format!("sluice consume {consumer}"),
            "ConsumerNotRunning",
        );
    }
    for owned in owned.iter().filter(|owned| matches!(owned.standing.state.as_str(), "halted" | "retrying")) {
        let at = &owned.standing;
        let reason = at.reason.as_deref().unwrap_or("no reason was given");
        let what = format!("{consumer} {}[{}] is {}: {reason}", at.topic, at.partition, at.state);
        if at.state == "halted" {
            let help = format!("sluice position {consumer}, then sluice resume {consumer} once its cause is gone");
            screen.problem(&what, &help, "ConsumerHalted");
        } else {
            screen.problem(&what, "it tries again by itself; look at what it waits for", "ConsumerRetrying");
        }
    }
    if parked > 0 {
        screen.problem(
            &format!("{consumer} has {parked} parked records"),
            &format!("sluice parked list {consumer}"),
            "ParkedRising",
        );
    }
}

/// The connectors and their slots. Connect that does not answer is a problem to be shown, not the end.
async fn sources(environment: &Environment, arguments: &Arguments, screen: &mut Screen) -> anyhow::Result<()> {
    let mut reader = Reader::new(environment);
    let url = reader.required::<String>("APP_ENV_CONNECT_URL", "Kafka Connect's REST API");
    let (url, _) = reader.finish(url)?;
    let connect = Connect::new(&url, reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?);
    screen.lines.push(heading());
    let mut shown = Vec::new();
    for service in services(&arguments.connectors)? {
        let configuration = Configuration::load(&arguments.connectors, &service, environment)?;
        let own = environment.scoped(&service);
        let mut reader = Reader::new(&own);
        let database = reader.required::<SecretString>("APP_ENV_DB_URL", "the source service's database");
        let (database, _) = reader.finish(database)?;
        let settings = platform::postgres::PoolSettings::named("sluice status").max_connections(1);
        let pool = platform::postgres::connect(database.expose_secret(), &settings)?;
        match standing(&connect, &configuration, &pool, OffsetDateTime::now_utc()).await {
            Ok(standing) => {
                screen.lines.push(standing.to_string());
                shown.push(json!({ "service": service, "healthy": standing.is_healthy() }));
                if !standing.is_healthy() {
                    screen.problem(
                        &format!("connector {service} does not flow"),
                        &format!("sluice connectors status; sluice connectors restart {service} --failed"),
                        "ConnectorNotRunning",
                    );
                }
            }
            Err(error) => {
                shown.push(json!({ "service": service, "healthy": false, "error": error.to_string() }));
                screen.problem(
                    &format!("connector {service}: {error}"),
                    "make status shows which server is down",
                    "ConnectorNotRunning",
                );
            }
        }
    }
    screen.json.insert("connectors".to_owned(), Value::Array(shown));
    Ok(())
}
