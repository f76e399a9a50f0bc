//! `sluice reindex`: a new search collection, filled beside the one that is searched and put in its place.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use platform::config::Environment;
use replay::execute::audited;
use replay::{Audit, Done, Operation, Plan, Step};
use search_sync::{Collections, NAME, Progress, Reindex, Settled};

use crate::consume::search_sync as consumer;
use crate::operator::{Execution, Output, plan_or_do};
use crate::tools::Tools;

/// How often it says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Makes a new collection of collection.json, fills it from commerce while search-sync goes on, compares it, and lets the
/// alias name it. Killed, it is planned and run again, and goes on where it stopped.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Let the alias name the collection of before again, and make there what it missed.
    #[arg(long, conflicts_with_all = ["drop_old", "wrong_at_most"])]
    roll_back: bool,
    /// Take away every collection of the alias that is not searched, one that was begun and not finished too.
    #[arg(long, conflicts_with = "wrong_at_most")]
    drop_old: bool,
    /// Let the alias name the new collection although so many documents are still wrong (refused by the engine, say).
    #[arg(long, default_value_t = 0, value_name = "DOCUMENTS")]
    wrong_at_most: usize,
    #[command(flatten)]
    execution: Execution,
    #[command(flatten)]
    output: Output,
}

/// Plans; does it when that was planned.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let tools = Tools::new(environment)?;
    let (search, _) = consumer(&tools.ground())?;
    let reindex = search.reindex();
    // before the look, so that nobody changes what is planned on; a plan alone holds nobody up
    let _lease = match arguments.execution.token() {
        Some(_) => Some(reindex.lease().await?),
        None => None,
    };
    let found = reindex.look().await?;
    let step = step(&found, arguments)?;
    let (execution, output) = (&arguments.execution, arguments.output);
    if execution.token().is_none() && !output.json {
        show(&found);
    }
    let operation =
        Operation::Reindex { alias: found.alias.clone(), searched: found.searched.clone(), step: step.clone() };
    let work = async |audit: &Audit, plan: &Plan, reason: &str| {
        let work = carry_out(&reindex, &found, &step, output);
        audited(audit, plan, reason, execution.ticket(), work).await?
    };
    plan_or_do(environment, NAME, operation, execution, output, work).await
}

/// What these arguments come to, as the collections are.
fn step(found: &Collections, arguments: &Arguments) -> anyhow::Result<Step> {
    let Collections { alias, searched, documents, beside, other, next } = found;
    if arguments.drop_old {
        let collections: BTreeSet<String> = documents.keys().filter(|name| *name != searched).cloned().collect();
        anyhow::ensure!(!collections.is_empty(), "{alias} has no collection but {searched}");
        return Ok(Step::Drop { collections });
    }
    if arguments.roll_back {
        if let Some(beside) = beside {
            anyhow::bail!(
                "{} was begun by {} and is not finished: finish it (`sluice reindex`) or take it away (--drop-old)",
                beside.collection,
                beside.started_by
            );
        }
        let Some(other) = other else {
            anyhow::bail!("{alias} has no collection but {searched}: there is no way back")
        };
        return Ok(Step::RollBack { collection: other.clone() });
    }
    let collection = beside.as_ref().map_or(next, |beside| &beside.collection).clone();
    Ok(Step::Build { collection, begun: beside.is_some(), wrong_at_most: arguments.wrong_at_most })
}

fn show(found: &Collections) {
    for (name, documents) in &found.documents {
        let is_beside = found.beside.as_ref().is_some_and(|beside| beside.collection == *name);
        let what = match () {
            () if *name == found.searched => format!("what {} names", found.alias),
            () if is_beside => "begun and not finished: search-sync writes it too".to_owned(),
            () => "not written".to_owned(),
        };
        println!("{name}: {documents} documents, {what}");
    }
}

async fn carry_out(reindex: &Reindex, found: &Collections, step: &Step, output: Output) -> anyhow::Result<Done> {
    let last_told = Cell::new(Instant::now());
    let tell = |progress: Progress| {
        let is_last = matches!(progress, Progress::Filled(filled, of) if filled >= of);
        if output.json || (last_told.get().elapsed() < TELL_EVERY && !is_last) {
            return;
        }
        last_told.set(Instant::now());
        match progress {
            Progress::Filled(filled, of) => println!("{filled} of {of} products filled"),
            Progress::Compared(documents) => println!("{documents} documents compared"),
        }
    };
    match step {
        Step::Build { collection, wrong_at_most, .. } => build(reindex, found, collection, *wrong_at_most, tell).await,
        Step::RollBack { collection } => {
            reindex.put(&found.searched, collection, true).await?;
            if !output.json {
                println!("{} names {collection}; what it missed is made again now", found.alias);
            }
            let settled = reindex.catch_up(tell).await?;
            let mut outcomes = vec![format!("{} names {collection}; {} is kept", found.alias, found.searched)];
            outcomes.extend(self::outcomes(collection, &settled));
            Ok(Done { outcomes, complete: settled.wrong == 0 })
        }
        Step::Drop { collections } => {
            let mut outcomes = Vec::new();
            for collection in collections {
                reindex.forget(collection).await?;
                outcomes.push(format!("{collection} is gone"));
            }
            Ok(Done { outcomes, complete: true })
        }
    }
}

async fn build(
    reindex: &Reindex,
    found: &Collections,
    collection: &str,
    wrong_at_most: usize,
    tell: impl Fn(Progress),
) -> anyhow::Result<Done> {
    let (old, alias) = (&found.searched, &found.alias);
    reindex.fill(collection, &tell).await?;
    let settled = reindex.settle(collection, &tell).await?;
    let mut outcomes = outcomes(collection, &settled);
    let is_right = settled.wrong <= wrong_at_most;
    if is_right {
        reindex.put(old, collection, wrong_at_most > 0).await?;
    }
    let documents = reindex.look().await?.documents;
    let of = |name: &str| documents.get(name).copied().unwrap_or_default();
    outcomes.push(format!("{collection} has {} documents, {old} has {}", of(collection), of(old)));
    outcomes.push(if is_right {
        format!("{alias} names {collection}; {old} is kept as it was")
    } else {
        format!("{alias} goes on naming {old}; `sluice reindex` again goes on with {collection}")
    });
    Ok(Done { outcomes, complete: is_right })
}

fn outcomes(collection: &str, settled: &Settled) -> Vec<String> {
    let Settled { documents, mended, wrong, named } = settled;
    let first = format!(
        "{collection} compared with {documents} documents of the source: {mended} made again, {wrong} still wrong"
    );
    [first].into_iter().chain(named.iter().cloned()).collect()
}
