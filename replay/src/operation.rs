//! What an operator can ask for, what it rests on, and what it comes to.

use std::collections::{BTreeMap, BTreeSet};

use runtime::parking::{self, Parked};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::epoch::{self, Start};
use crate::fleet::{Fleet, Owned, Standing, consumers};
use crate::range::Range;
use crate::reindex::{self, Step};
use crate::selection::Selection;

/// Something that changes what a consumer does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase")]
pub enum Operation {
    /// Let partitions wait: one, those of a topic, or all.
    Pause(Which),
    /// Let them go on, and try again what is halted.
    Resume(Which),
    /// Apply partitions again.
    Rewind {
        /// Which.
        which: Which,
        /// Only those that are halted.
        halted: bool,
        /// The first record that is applied again, of one partition; the first that each retains when there is none.
        to: Option<i64>,
    },
    /// Park the record that a partition stands at.
    Skip {
        /// The topic.
        topic: String,
        /// The partition's number.
        partition: i32,
        /// Where it stands.
        offset: i64,
    },
    /// Apply what is parked, in order.
    Release(Aside),
    /// Give up what is parked. Its bytes are kept in `discarded_change`.
    Discard(Aside),
    /// Apply chosen changes again, beside the live group.
    Replay {
        /// Which.
        selection: Selection,
        /// Where they lay when it was planned.
        ranges: Vec<Range>,
        /// Records a second; as fast as the target takes them when there is none.
        rate: Option<u32>,
    },
    /// Make rows of the target say what the source holds.
    Repair {
        /// Entities whose changes are applied again.
        again: BTreeSet<String>,
        /// Entities that the source does not have.
        gone: BTreeSet<String>,
    },
    /// Change what the search engine has behind an alias.
    Reindex {
        /// The alias.
        alias: String,
        /// What it names now.
        searched: String,
        /// What is done.
        step: Step,
    },
    /// Take what a source writes from now on for newer than everything before. The plan is of the service, not of a consumer.
    Epoch {
        /// Where it begins.
        starts: Vec<Start>,
    },
}

/// Some partitions of a consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Which {
    /// Of this topic only.
    pub topic: Option<String>,
    /// This one only.
    pub partition: Option<i32>,
}

impl Which {
    fn of<'f>(&'f self, fleet: &'f Fleet) -> impl Iterator<Item = &'f Owned> {
        fleet.0.iter().filter(|Owned { standing, .. }| {
            self.topic.as_ref().is_none_or(|topic| *topic == standing.topic)
                && self.partition.is_none_or(|partition| partition == standing.partition)
        })
    }
}

/// Something that is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aside {
    /// Everything of an entity, by its text form.
    Entity(String),
    /// One record that is of no entity, by its number.
    Id(i64),
    /// Everything: all of it, or every entity of which something was parked for this cause.
    All(Option<String>),
}

/// A command for the owner of one partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// What the runtime calls it.
    pub verb: &'static str,
    /// What goes with it.
    pub arguments: Value,
}

/// What an operation comes to, as things are now.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// What it rests on: while these are the same, a plan holds.
    pub facts: Value,
    /// What would happen, in sentences.
    pub summary: Vec<String>,
    /// What the owners are told; nothing where the control database alone is concerned.
    pub commands: Vec<Command>,
}

/// Why nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No such consumer.
    #[error("no consumer is named `{name}`; there are {}", known.join(", "))]
    NoConsumer {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The consumer does not run, and only an owner can do it.
    #[error("no worker runs {0}: start it (`sluice consume {0}`), or what is to be done waits for nobody")]
    NotRunning(String),
    /// No worker has the partition.
    #[error("no worker of {consumer} has {topic}[{partition}]; `sluice position {consumer}` shows who has what")]
    NoPartition {
        /// The consumer.
        consumer: String,
        /// The topic.
        topic: String,
        /// The partition's number.
        partition: i32,
    },
    /// It would change nothing, or cannot be.
    #[error("{0}")]
    Pointless(String),
    /// The control database does not answer.
    #[error("the control database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Looks at what an operation would do now. Changes nothing.
pub async fn look(control: &PgPool, consumer: &str, operation: &Operation) -> Result<View, Refused> {
    if let Operation::Epoch { starts } = operation {
        return Ok(epoch::view(consumer, starts));
    }
    let known = consumers(control).await?;
    if !known.iter().any(|name| name == consumer) {
        return Err(Refused::NoConsumer { name: consumer.to_owned(), known });
    }
    let fleet = async || running(control, consumer).await;
    match operation {
        Operation::Pause(which) => partitions(&fleet().await?, consumer, which, "pause"),
        Operation::Resume(which) => partitions(&fleet().await?, consumer, which, "resume"),
        Operation::Rewind { which, halted, to } => rewind(&fleet().await?, consumer, which, *halted, *to),
        Operation::Skip { topic, partition, offset } => skip(&fleet().await?, consumer, topic, *partition, *offset),
        Operation::Release(aside) => {
            release(&fleet().await?, consumer, &parked(control, consumer, aside).await?, aside)
        }
        Operation::Replay { ranges, .. } => Ok(replay(ranges)),
        Operation::Repair { again, gone } => Ok(repair(again, gone)),
        Operation::Reindex { alias, searched, step } => Ok(reindex::view(consumer, alias, searched, step)),
        Operation::Epoch { starts } => Ok(epoch::view(consumer, starts)),
        Operation::Discard(aside) => {
            let parked = parked(control, consumer, aside).await?;
            let kept = format!("{} parked records are given up; their bytes stay in discarded_change", parked.len());
            Ok(View { facts: identify(&parked), summary: listed(vec![kept], &parked), commands: Vec::new() })
        }
    }
}

/// Who runs the consumer now.
async fn running(control: &PgPool, consumer: &str) -> Result<Fleet, Refused> {
    let fleet = Fleet::read(control, Some(consumer)).await?;
    if fleet.0.is_empty() { Err(Refused::NotRunning(consumer.to_owned())) } else { Ok(fleet) }
}

fn partitions(fleet: &Fleet, consumer: &str, which: &Which, verb: &'static str) -> Result<View, Refused> {
    let standings = which.of(fleet).map(|owned| &owned.standing);
    // what is paused already needs no pause, and what runs no resume
    let waits = |state: &str| state == "paused" || state == "halted";
    let chosen: Vec<_> = standings.filter(|standing| waits(&standing.state) == (verb == "resume")).collect();
    if chosen.is_empty() {
        return Err(Refused::Pointless(format!(
            "there is nothing to {verb}: `sluice position {consumer}` shows the states"
        )));
    }
    let summary = chosen
        .iter()
        .map(|standing| {
            let why = standing.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            format!("{verb} {}[{}], which is {}{why}", standing.topic, standing.partition, standing.state)
        })
        .collect();
    let facts =
        chosen.iter().map(|standing| json!([standing.topic, standing.partition, waits(&standing.state)])).collect();
    let commands = chosen
        .iter()
        .map(|standing| Command {
            topic: standing.topic.clone(),
            partition: standing.partition,
            verb,
            arguments: json!({}),
        })
        .collect();
    Ok(View { facts, summary, commands })
}

fn owner<'f>(fleet: &'f Fleet, consumer: &str, topic: &str, partition: i32) -> Result<&'f Owned, Refused> {
    fleet.owner(topic, partition).ok_or_else(|| Refused::NoPartition {
        consumer: consumer.to_owned(),
        topic: topic.to_owned(),
        partition,
    })
}

fn rewind(fleet: &Fleet, consumer: &str, which: &Which, halted: bool, to: Option<i64>) -> Result<View, Refused> {
    if let (Some(topic), Some(partition)) = (&which.topic, which.partition) {
        owner(fleet, consumer, topic, partition)?;
    }
    let chosen: Vec<_> = which.of(fleet).filter(|owned| !halted || owned.standing.state == "halted").collect();
    if chosen.is_empty() {
        return Err(Refused::Pointless(format!(
            "there is nothing to rewind: `sluice position {consumer}` shows who has what, and what is halted"
        )));
    }
    let mut summary = Vec::new();
    for Owned { standing, .. } in &chosen {
        let (topic, partition, position) = (&standing.topic, standing.partition, standing.next_offset);
        if let Some(to) = to.filter(|to| position >= 0 && *to >= position && standing.state != "halted") {
            return Err(Refused::Pointless(format!(
                "{topic}[{partition}] stands at {position}: a rewind goes back, and {to} is not before it"
            )));
        }
        let from = to.map_or_else(|| "the first record that is retained".to_owned(), |to| to.to_string());
        summary.push(format!("{consumer} reads {topic}[{partition}] again from {from} on: {}", how_much(standing, to)));
    }
    summary
        .push("an older change never overwrites a newer one; the same change again repairs what it wrote".to_owned());
    let place = |owned: &&Owned| (owned.standing.topic.clone(), owned.standing.partition);
    let command = |(topic, partition)| Command { topic, partition, verb: "rewind", arguments: json!({ "to": to }) };
    Ok(View {
        facts: chosen
            .iter()
            .map(|owned| json!([owned.standing.topic, owned.standing.partition, owned.worker]))
            .collect(),
        summary,
        commands: chosen.iter().map(place).map(command).collect(),
    })
}

/// How many records a rewind applies again, and how long that takes.
fn how_much(standing: &Standing, to: Option<i64>) -> String {
    let position = standing.next_offset;
    if position < 0 {
        return "it has not begun, and does not know how many those are".to_owned();
    }
    // how much a topic retains is known to its broker alone
    let most = if to.is_none() { "at most " } else { "" };
    let again = position.saturating_sub(to.unwrap_or(0)).max(0);
    let time = match standing.records_per_second {
        Some(rate) if rate > 0.0 => {
            #[expect(clippy::cast_precision_loss, reason = "records of one partition, far below 2^53")]
            let seconds = (again as f64 / rate).ceil();
            format!("about {seconds:.0} s at {rate:.0} a second, as measured when it was last behind")
        }
        _ => "how long that takes is not known: it was not behind since its worker has it".to_owned(),
    };
    format!("{most}{again} records before position {position}; {time}")
}

fn skip(fleet: &Fleet, consumer: &str, topic: &str, partition: i32, offset: i64) -> Result<View, Refused> {
    let owned = owner(fleet, consumer, topic, partition)?;
    let (position, state) = (owned.standing.next_offset, &owned.standing.state);
    // a partition that halted at its start does not know its position; its owner compares with the committed offset
    if position >= 0 && position != offset {
        return Err(Refused::Pointless(format!("{topic}[{partition}] stands at {position}, not at {offset}")));
    }
    Ok(View {
        facts: json!({ "position": position, "state": state }),
        summary: vec![format!(
            "{consumer} parks the record {topic}[{partition}]@{offset} without applying it; later changes of its entity follow \
             it there until they are released"
        )],
        commands: vec![Command {
            topic: topic.to_owned(),
            partition,
            verb: "skip",
            arguments: json!({ "offset": offset }),
        }],
    })
}

fn release(fleet: &Fleet, consumer: &str, parked: &[Parked], aside: &Aside) -> Result<View, Refused> {
    let arguments = match aside {
        Aside::Entity(entity) => json!({ "entity": entity }),
        Aside::Id(id) => json!({ "id": id }),
        Aside::All(cause) => json!({ "all": true, "cause": cause }),
    };
    // the partition of the newest: there its later changes arrive, and its owner keeps them in order
    let newest: BTreeMap<&str, &Parked> =
        parked.iter().filter_map(|parked| Some((parked.entity.as_deref()?, parked))).collect();
    let without_entity = parked.iter().filter(|parked| parked.entity.is_none());
    let places: BTreeSet<(String, i32)> = newest
        .into_values()
        .chain(without_entity)
        .map(|parked| (parked.record.coordinates.topic.to_string(), parked.record.coordinates.partition))
        .collect();
    for (topic, partition) in &places {
        owner(fleet, consumer, topic, *partition)?;
    }
    let summary =
        vec![format!("{} parked records are applied in this order, each guarded by its position", parked.len())];
    let command = |(topic, partition)| Command { topic, partition, verb: "release", arguments: arguments.clone() };
    Ok(View {
        facts: identify(parked),
        summary: listed(summary, parked),
        commands: places.into_iter().map(command).collect(),
    })
}

fn replay(ranges: &[Range]) -> View {
    let mut summary: Vec<String> = ranges
        .iter()
        .map(|range| {
            let Range { topic, partition, from, to } = range;
            format!("  {topic}[{partition}] from {from} to {to}: {} records", range.records())
        })
        .collect();
    let records: i64 = ranges.iter().map(Range::records).sum();
    summary.insert(
        0,
        format!("{records} records are read and what is chosen of them is applied again, beside the live group:"),
    );
    summary.push("an older change never overwrites a newer one; the group's offsets stay where they are".to_owned());
    View { facts: json!([]), summary, commands: Vec::new() }
}

fn repair(again: &BTreeSet<String>, gone: &BTreeSet<String>) -> View {
    let summary = vec![
        format!(
            "{} entities are made again: from the source's present state, or by their retained changes",
            again.len()
        ),
        format!("{} entities that the source does not have are deleted from the target", gone.len()),
        "each passes the consumer's guard or lock: nothing newer is overwritten".to_owned(),
    ];
    View { facts: json!([]), summary, commands: Vec::new() }
}

fn nothing_parked(consumer: &str) -> Refused {
    Refused::Pointless(format!("nothing of this is parked; `sluice parked list {consumer}` shows what is"))
}

/// The parked records that are meant, in the order in which they would be released.
///
/// # Errors
/// [`Refused::Pointless`] when there is none, or one of an entity's is named alone; [`Refused::Database`].
pub async fn parked(control: &PgPool, consumer: &str, aside: &Aside) -> Result<Vec<Parked>, Refused> {
    let parked = match aside {
        Aside::Entity(entity) => parking::list(control, consumer, Some(entity)).await?,
        Aside::Id(id) => parking::find(control, consumer, *id).await?.into_iter().collect(),
        Aside::All(cause) => of_cause(parking::list(control, consumer, None).await?, cause.as_deref()),
    };
    if parked.is_empty() {
        return Err(nothing_parked(consumer));
    }
    if let (Aside::Id(id), Some(entity)) = (aside, parked.first().and_then(|parked| parked.entity.as_ref())) {
        return Err(Refused::Pointless(format!(
            "{id} is of entity {entity}: name the entity, so that its changes stay in order"
        )));
    }
    Ok(parked)
}

/// What is parked of the entities of which something was parked for a cause; everything when there is none.
fn of_cause(parked: Vec<Parked>, cause: Option<&str>) -> Vec<Parked> {
    let Some(cause) = cause else { return parked };
    let entities: BTreeSet<String> =
        parked.iter().filter(|parked| parked.cause == cause).filter_map(|parked| parked.entity.clone()).collect();
    let belongs = |parked: &Parked| match &parked.entity {
        Some(entity) => entities.contains(entity),
        None => parked.cause == cause,
    };
    parked.into_iter().filter(belongs).collect()
}

fn identify(parked: &[Parked]) -> Value {
    parked.iter().map(|parked| parked.id).collect()
}

fn listed(mut summary: Vec<String>, parked: &[Parked]) -> Vec<String> {
    const SHOWN: usize = 20;
    summary.extend(
        parked.iter().take(SHOWN).map(|parked| {
            format!("  #{} {} {}: {}", parked.id, parked.record.coordinates, parked.cause, parked.detail)
        }),
    );
    if parked.len() > SHOWN {
        summary.push(format!("  and {} more", parked.len() - SHOWN));
    }
    summary
}
