//! `sluice parked`: what a consumer set aside, and what becomes of it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use platform::config::Environment;
use replay::Operation;
use replay::operation::Aside;
use runtime::parking::{self, Parked};
use serde_json::{Value, json};

use crate::operator::{Execution, Output, control, operate, time_of};

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
    /// Apply what is parked, in order.
    Release(Chosen),
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
        Verb::Release(chosen) => {
            let operation = Operation::Release(chosen.aside()?);
            operate(environment, &chosen.consumer, operation, &chosen.execution, chosen.output).await
        }
        Verb::Discard(chosen) => {
            let operation = Operation::Discard(chosen.aside()?);
            operate(environment, &chosen.consumer, operation, &chosen.execution, chosen.output).await
        }
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
        println!("{}", described(&parked));
        return Ok(ExitCode::SUCCESS);
    }
    println!("#{} {} written {}", parked.id, parked.record.coordinates, time_of(Some(parked.record.timestamp_ms)));
    println!("entity    {}", parked.entity.as_deref().unwrap_or("(its key could not be decoded)"));
    println!("parked    {}: {} ({} attempts)", parked.cause, parked.detail, parked.attempts);
    println!("key       {}", parked.record.key.as_deref().map_or_else(|| "none".to_owned(), hex));
    println!("value     {}", parked.record.value.as_deref().map_or_else(|| "none (a tombstone)".to_owned(), hex));
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
