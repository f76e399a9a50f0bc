//! `sluice trace <service> <table> <id>`: where one entity stands, from its row to every target.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use futures::future::LocalBoxFuture;
use platform::config::Environment;
use replay::trace::{Fate, Located, Made, made};
use runtime::{Consumer, EntityKey, Surroundings};
use schemas::files::{Topic, load};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use crate::consume::{CONSUMERS, Visit, with};
use crate::operator::{Output, control, time_of};
use crate::tools::Tools;

/// The row in the source, its records in the topic, what became of each at each consumer, and what the targets hold.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The service that owns the row: `commerce`.
    service: String,
    /// Its table: `merchant`, or `<schema>.<table>`.
    table: String,
    /// The primary key; several columns joined by `,`.
    id: String,
    /// The folder of the topics.
    #[arg(long, default_value = "schemas")]
    schemas: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Looks everywhere and prints what is there.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (tools, control) = (Tools::new(environment)?, control(environment)?);
    let topic = topic(arguments)?;
    let entity = EntityKey::new(topic.name.as_str().into(), &arguments.id);
    let row = row(&tools.source(&arguments.service)?, &topic, &arguments.id).await?;
    let records = tools.library()?.records(&control, &entity, &[topic.promise.partitions]).await?;
    if row.is_none() && records.is_empty() {
        anyhow::bail!("{entity} is not there: neither the source has such a row nor the topic a record of it");
    }
    let (records, mut consumers) = (Arc::new(records), Vec::new());
    for name in CONSUMERS {
        let following = Following { control: control.clone(), entity: entity.clone(), records: records.clone() };
        if let Some(made) = with(name, &tools.ground(), following)?.await {
            consumers.push((name, made));
        }
    }
    if arguments.output.json {
        let made = consumers.iter().map(|(name, made)| match made {
            Ok(made) => json!(made),
            Err(error) => json!({ "consumer": name, "error": format!("{error:#}") }),
        });
        let made: Vec<Value> = made.collect();
        println!("{}", json!({ "entity": entity.text(), "row": row, "records": *records, "consumers": made }));
    } else {
        print(&entity, row.as_ref(), &records, &consumers);
    }
    Ok(ExitCode::SUCCESS)
}

fn topic(arguments: &Arguments) -> anyhow::Result<Topic> {
    let (service, table) = (format!("{}.", arguments.service), format!(".{}", arguments.table));
    let mut topics = load(&arguments.schemas)?;
    topics.retain(|topic| topic.name.starts_with(&service) && topic.name.ends_with(&table));
    match topics.len() {
        1 => Ok(topics.swap_remove(0)),
        0 => anyhow::bail!(
            "no captured table is {}{table}; `ls {}` names them",
            arguments.service,
            arguments.schemas.display()
        ),
        _ => anyhow::bail!("several tables are named so: give <schema>.<table>"),
    }
}

/// The source's row, whatever its columns.
async fn row(source: &PgPool, topic: &Topic, id: &str) -> anyhow::Result<Option<Value>> {
    let key: Value = serde_json::from_str(&topic.key.current)?;
    let columns: Vec<&str> =
        key["fields"].as_array().into_iter().flatten().filter_map(|f| f["name"].as_str()).collect();
    let parts: Vec<&str> = id.split(',').collect();
    anyhow::ensure!(parts.len() == columns.len(), "the key of {} is {}", topic.name, columns.join(","));
    let table = topic.name.split_once('.').map_or(topic.name.as_str(), |(_, table)| table);
    let wheres: Vec<String> = columns.iter().enumerate().map(|(n, c)| format!("t.{c} = ${}", n + 1)).collect();
    // the names come from the reviewed schema
    let statement = format!("select to_jsonb(t) from {table} t where {}", wheres.join(" and "));
    let mut query = sqlx::query_scalar::<_, Value>(AssertSqlSafe(statement));
    for part in parts {
        query = match part.parse::<i64>() {
            Ok(number) => query.bind(number),
            Err(_) => query.bind(part.replace("%2C", ",").replace("%25", "%")),
        };
    }
    Ok(query.fetch_optional(source).await?)
}

/// What one consumer makes of the entity; none when it does not read its topic.
struct Following {
    control: PgPool,
    entity: EntityKey,
    records: Arc<Vec<Located>>,
}

impl Visit for Following {
    type Output = LocalBoxFuture<'static, Option<anyhow::Result<Made>>>;

    fn visit<C: Consumer>(self, consumer: C, _: Surroundings) -> Self::Output {
        Box::pin(async move {
            let Self { control, entity, records } = self;
            let reads = consumer.topics().iter().any(|topic| &**topic.name() == entity.topic());
            if !reads {
                return None;
            }
            Some(made(&consumer, &control, &entity, &records).await.map_err(Into::into))
        })
    }
}

fn print(entity: &EntityKey, row: Option<&Value>, records: &[Located], consumers: &[(&str, anyhow::Result<Made>)]) {
    println!("{entity}");
    match row {
        Some(row) => println!("\nsource     {row}"),
        None => println!("\nsource     has no such row"),
    }
    println!("\nrecords    {}", if records.is_empty() { "none retained" } else { "" });
    for (number, record) in records.iter().enumerate() {
        let Located { at, operation, position, committed_ms, .. } = record;
        let position = position.as_deref().unwrap_or("-");
        println!("  {at} {operation} committed {} at {position}", time_of(*committed_ms));
        for (name, made) in consumers {
            if let Some(fate) = made.as_ref().ok().and_then(|made| made.fates.get(number)) {
                println!("      {name:<20} {}", told(fate));
            }
        }
    }
    println!("\ntargets");
    for (name, made) in consumers {
        match made {
            Err(error) => println!("  {name:<20} cannot be asked: {error:#}"),
            Ok(made) if made.held.is_empty() => println!("  {name:<20} holds nothing of it"),
            Ok(made) => {
                for held in &made.held {
                    let position = held.position.map_or_else(String::new, |position| format!(" at {position}"));
                    println!("  {name:<20} {}{position}: {}", held.name, held.content);
                }
            }
        }
    }
}

/// A fate, in words.
fn told(fate: &Fate) -> String {
    match fate {
        Fate::Applied => "applied".to_owned(),
        Fate::Tombstone => "a tombstone; its delete was applied".to_owned(),
        Fate::Superseded { by } => format!("superseded by {by}"),
        Fate::Parked { id, cause, detail } => format!("parked as #{id}: {cause}: {detail}"),
        Fate::NotReached { position: Some(position) } => format!("not reached yet: it stands at {position}"),
        Fate::NotReached { position: None } => "not reached yet: it never started there".to_owned(),
    }
}
