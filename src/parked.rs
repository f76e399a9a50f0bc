//! `sluice parked`: what a consumer set aside, and what becomes of it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use futures::future::LocalBoxFuture;
use platform::config::{Environment, Reader};
use replay::dry_run::dry_release;
use replay::operation::Aside;
use replay::rerun::Rerun;
use replay::{Operation, Selection};
use runtime::parking::{self, Parked};
use runtime::{Consumer, Surroundings};
use schemas::{Registry, decode, wire};
use serde_json::{Value, json};

use crate::consume::{Visit, with};
use crate::operator::{Execution, Output, control, operate, time_of};
use crate::replay::show_dry_run;
use crate::tools::Tools;

/// Records that could not be applied, kept with their bytes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// What is parked, by its reason.
    List {
        /// The consumer.
        consumer: String,
        #[command(flatten)]
        output: Output,
    },
    /// One parked record, with its bytes.
    Show {
        /// The consumer.
        consumer: String,
        /// Its number.
        id: i64,
        #[command(flatten)]
        output: Output,
    },
    /// Apply what is parked, in order; with --dry-run, show what would change in the target.
    Release {
        #[command(flatten)]
        chosen: Chosen,
        /// Show what would change in the target, and make no plan.
        #[arg(long, conflicts_with = "execute")]
        dry_run: bool,
        /// How many differences are shown.
        #[arg(long, default_value_t = 20, requires = "dry_run")]
        at_most: usize,
    },
    /// Give it up; its bytes are kept in `discarded_change`.
    Discard(Chosen),
}

#[derive(clap::Args)]
struct Chosen {
    /// The consumer.
    consumer: String,
    /// `<topic>/<key>`, for everything of an entity; `#<number>`, for one record that is of no entity.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    what: Option<String>,
    /// Everything that the consumer has parked.
    #[arg(long)]
    all: bool,
    /// With --all: only entities of which something was parked for this cause, as `sluice parked list` names it.
    #[arg(long, requires = "all")]
    cause: Option<String>,
    #[command(flatten)]
    execution: Execution,
    #[command(flatten)]
    output: Output,
}

impl Chosen {
    fn aside(&self) -> anyhow::Result<Aside> {
        let Some(what) = &self.what else { return Ok(Aside::All(self.cause.clone())) };
        match what.strip_prefix('#') {
            Some(number) => Ok(Aside::Id(number.parse().map_err(|_| anyhow::anyhow!("#{number} is no number"))?)),
            None if what.contains('/') => Ok(Aside::Entity(what.clone())),
            None => anyhow::bail!("`{what}` is neither <topic>/<key> nor #<number>"),
        }
    }
}

/// Runs one verb.
pub(crate) async fn run(environment: &Environment, arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::List { consumer, output } => list(environment, &consumer, output).await,
        Verb::Show { consumer, id, output } => show(environment, &consumer, id, output).await,
        Verb::Release { chosen, dry_run: true, at_most } => {
            let aside = chosen.aside()?;
            let parked = replay::operation::parked(&control(environment)?, &chosen.consumer, &aside).await?;
            let tools = Tools::new(environment)?;
            let trying = Trying { parked, at_most, output: chosen.output };
            with(&chosen.consumer, &tools.ground(), trying)?.await
        }
        Verb::Release { chosen, .. } => {
            let operation = Operation::Release(chosen.aside()?);
            operate(environment, &chosen.consumer, operation, &chosen.execution, chosen.output).await
        }
        Verb::Discard(chosen) => {
            let operation = Operation::Discard(chosen.aside()?);
            operate(environment, &chosen.consumer, operation, &chosen.execution, chosen.output).await
        }
    }
}

/// Tries a release.
struct Trying {
    parked: Vec<Parked>,
    at_most: usize,
    output: Output,
}

impl Visit for Trying {
    type Output = LocalBoxFuture<'static, anyhow::Result<ExitCode>>;

    fn visit<C: Consumer>(self, consumer: C, around: Surroundings) -> Self::Output {
        Box::pin(async move {
            let rerun = Rerun::new(&consumer, &around, Selection::default()).await?;
            show_dry_run(&dry_release(&rerun, &self.parked).await?, self.at_most, self.output);
            Ok(ExitCode::SUCCESS)
        })
    }
}

async fn list(environment: &Environment, consumer: &str, output: Output) -> anyhow::Result<ExitCode> {
    let parked = parking::list(&control(environment)?, consumer, None).await?;
    if output.json {
        println!("{}", Value::Array(parked.iter().map(described).collect()));
        return Ok(ExitCode::SUCCESS);
    }
    let mut by_reason: BTreeMap<(&str, &str), Vec<&Parked>> = BTreeMap::new();
    for parked in &parked {
        by_reason.entry((&parked.cause, &parked.detail)).or_default().push(parked);
    }
    if by_reason.is_empty() {
        println!("nothing is parked");
    }
    for ((cause, detail), parked) in by_reason {
        println!("{} x {cause}: {detail}", parked.len());
        for parked in parked.iter().take(10) {
            let entity = parked.entity.as_deref().unwrap_or("(no entity)");
            println!("  #{:<8} {} {entity}", parked.id, parked.record.coordinates);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(environment: &Environment, consumer: &str, id: i64, output: Output) -> anyhow::Result<ExitCode> {
    let Some(parked) = parking::find(&control(environment)?, consumer, id).await? else {
        anyhow::bail!("{consumer} has no parked record #{id}; `sluice parked list {consumer}` shows what it has");
    };
    if output.json {
        let Decoded { key, value } = decoded(environment, &parked).await?;
        let mut described = described(&parked);
        let read = |read: Result<Read, String>| {
            read.ok().map(|Read { schema, datum }| json!({ "schema": schema, "datum": datum }))
        };
        described["decoded"] = json!({ "key": read(key), "value": read(value) });
        println!("{described}");
        return Ok(ExitCode::SUCCESS);
    }
    println!("#{} {} written {}", parked.id, parked.record.coordinates, time_of(Some(parked.record.timestamp_ms)));
    println!("entity    {}", parked.entity.as_deref().unwrap_or("(its key could not be decoded)"));
    println!("parked    {}: {} ({} attempts)", parked.cause, parked.detail, parked.attempts);
    let decoded = decoded(environment, &parked).await?;
    for (what, bytes, nothing, decoded) in [
        ("key", &parked.record.key, "none", &decoded.key),
        ("value", &parked.record.value, "none (a tombstone)", &decoded.value),
    ] {
        match (bytes.as_deref(), decoded) {
            (None, _) => println!("{what:<9} {nothing}"),
            (Some(bytes), Ok(read)) => println!("{what:<9} {} bytes, {}", bytes.len(), indented(read)),
            (Some(bytes), Err(why)) => println!("{what:<9} {}\n          cannot be read: {why}", hex(bytes)),
        }
    }
    for (name, value) in &parked.record.headers {
        println!("header    {name}: {}", value.as_deref().map_or_else(|| "none".to_owned(), hex));
    }
    Ok(ExitCode::SUCCESS)
}

fn described(parked: &Parked) -> Value {
    let encode = |bytes: Option<&[u8]>| bytes.map(|bytes| STANDARD.encode(bytes));
    let at = &parked.record.coordinates;
    json!({
        "id": parked.id, "entity": parked.entity, "topic": &*at.topic, "partition": at.partition, "offset": at.offset,
        "timestamp_ms": parked.record.timestamp_ms, "cause": parked.cause, "detail": parked.detail,
        "attempts": parked.attempts, "key": encode(parked.record.key.as_deref()),
        "value": encode(parked.record.value.as_deref()),
    })
}

/// A record's key and value, or why they cannot be read.
struct Decoded {
    key: Result<Read, String>,
    value: Result<Read, String>,
}

/// Bytes that were read by their schema.
struct Read {
    schema: u32,
    datum: Value,
}

/// Reads a record by its schemas.
async fn decoded(environment: &Environment, parked: &Parked) -> anyhow::Result<Decoded> {
    let mut reader = Reader::new(environment);
    let address = reader.optional::<String>("APP_ENV_SCHEMA_REGISTRY_URL", "the registry's Confluent API");
    let (address, _) = reader.finish(address)?;
    let registry = address.map(|address| Registry::new(&address, reqwest::Client::builder())).transpose()?;
    let read = async |bytes: Option<&[u8]>| {
        let registry = registry.as_ref().ok_or("set APP_ENV_SCHEMA_REGISTRY_URL")?;
        let (schema, datum) = wire::split(bytes.ok_or("there is none")?).map_err(|error| error.to_string())?;
        let writers = registry.schema(schema).await.map_err(|error| error.to_string())?;
        let datum = decode::json(&writers, datum).map_err(|error| error.to_string())?;
        Ok(Read { schema, datum })
    };
    Ok(Decoded { key: read(parked.record.key.as_deref()).await, value: read(parked.record.value.as_deref()).await })
}

/// What was read, a line for each member.
fn indented(Read { schema, datum }: &Read) -> String {
    let text = serde_json::to_string_pretty(datum).unwrap_or_else(|_| datum.to_string());
    format!("schema {schema}:\n{}", text.lines().map(|line| format!("          {line}")).collect::<Vec<_>>().join("\n"))
}

/// Bytes as hexadecimal digits, in groups, with the text in them beside.
fn hex(bytes: &[u8]) -> String {
    const SHOWN: usize = 512;
    let text: String = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)])
        .chars()
        .map(|c| if c.is_control() || c == char::REPLACEMENT_CHARACTER { '.' } else { c })
        .collect();
    let digits: Vec<String> = bytes.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() > 64 { " ..." } else { "" };
    format!("{} bytes: {}{more}\n          {text}", bytes.len(), digits.join(" "))
}
