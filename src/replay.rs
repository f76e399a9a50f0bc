//! `sluice replay`: chosen changes applied again, beside the live group.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use futures::future::LocalBoxFuture;
use platform::clock::told;
use platform::config::Environment;
use replay::dry_run::{DryRun, dry_run};
use replay::execute::audited;
use replay::journal::{self, Begun, Lease};
use replay::range::{client, resolve};
use replay::reconcile::{look_again, reconcile};
use replay::rerun::{Report, Rerun};
use replay::selection::{Filter, Place};
use replay::{Audit, Done, Operation, Plan, Range, Selection, plan};
use runtime::{Consumer, Difference, Surroundings};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::consume::{Visit, with};
use crate::operator::{NEEDS_A_LOOK, NOT_DONE, Output, audit, control};
use crate::tools::Tools;

/// Chosen changes applied again, through the consumer's own handlers and beside its live group.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Choose changes, see what would be read (with --dry-run: what would change), and get a token. Nothing is done.
    Plan(Chosen),
    /// Carry a plan out; again after an interruption, to go on where it stopped.
    Run {
        /// The plan's token.
        token: String,
        /// Why, for the audit.
        #[arg(long)]
        reason: String,
        /// The ticket that it belongs to, for the audit.
        #[arg(long)]
        ticket: Option<String>,
        /// Do not compare the target with its source at the end.
        #[arg(long)]
        no_check: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Replays that were begun, the newest first.
    List {
        #[command(flatten)]
        output: Output,
    },
}

#[derive(clap::Args)]
struct Chosen {
    /// The consumer.
    consumer: String,
    /// Only changes of this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Only of this partition.
    #[arg(long)]
    partition: Option<i32>,
    /// From here on: an offset (with --topic and --partition) or a time (RFC 3339).
    #[arg(long)]
    from: Option<Place>,
    /// Up to here, exclusive: an offset or a time.
    #[arg(long)]
    to: Option<Place>,
    /// Only of this entity, `<topic>/<key>`; may be repeated.
    #[arg(long = "entity", value_name = "ENTITY")]
    entities: Vec<String>,
    /// Only of the entities in this file, one a line.
    #[arg(long, value_name = "FILE")]
    entities_from: Option<PathBuf>,
    /// Only of rows whose column has this value, `<column>=<value>`; may be repeated.
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    filters: Vec<Filter>,
    /// Apply no more records a second than this.
    #[arg(long)]
    rate: Option<u32>,
    /// Show what would change in the target, and make no plan.
    #[arg(long)]
    dry_run: bool,
    /// How many differences are shown.
    #[arg(long, default_value_t = 20, requires = "dry_run")]
    at_most: usize,
    #[command(flatten)]
    output: Output,
}

impl Chosen {
    fn selection(&self) -> anyhow::Result<Selection> {
        let mut entities: std::collections::BTreeSet<String> = self.entities.iter().cloned().collect();
        if let Some(path) = &self.entities_from {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            entities.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
            anyhow::ensure!(!entities.is_empty(), "{} names no entity", path.display());
        }
        let (topic, filters) = (self.topic.clone(), self.filters.clone());
        Ok(Selection { topic, partition: self.partition, from: self.from, to: self.to, entities, filters })
    }
}

/// Runs one verb.
pub(crate) async fn run(environment: &Environment, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let tools = Tools::new(environment)?;
    match arguments.verb {
        Verb::Plan(chosen) => {
            let (selection, name) = (chosen.selection()?, chosen.consumer.clone());
            let planning = Planning { tools: &tools, control: control(environment)?, chosen, selection };
            with(&name, &tools.ground(), planning)?.await
        }
        Verb::Run { token, reason, ticket, no_check, output } => {
            let control = control(environment)?;
            let Some((consumer, operation)) = plan::find(&control, &token).await? else {
                anyhow::bail!("there is no plan with the token {token}; `sluice replay plan` makes one");
            };
            let audit = audit(environment, &control)?;
            let (tools, check) = (&tools, !no_check);
            let running = Carrying { tools, control, audit, operation, token, reason, ticket, check, output };
            with(&consumer, &tools.ground(), running)?.await
        }
        Verb::List { output } => {
            let begun = journal::list(&control(environment)?).await?;
            if output.json {
                println!("{}", serde_json::to_string(&begun)?);
            } else if begun.is_empty() {
                println!("no replay was begun");
            }
            for begun in begun.iter().filter(|_| !output.json) {
                let left: i64 = begun.ranges.iter().map(Range::records).sum();
                let Begun { token, consumer, state, started_by, started_at, .. } = begun;
                let at = told(*started_at);
                println!("{token} {consumer} {state}, {left} records left; begun {at} by {started_by}");
                print_report(&begun.report);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

struct Planning<'t> {
    tools: &'t Tools<'t>,
    control: PgPool,
    chosen: Chosen,
    selection: Selection,
}

impl<'t> Visit for Planning<'t> {
    type Output = LocalBoxFuture<'t, anyhow::Result<ExitCode>>;

    fn visit<C: Consumer>(self, consumer: C, around: Surroundings) -> Self::Output {
        Box::pin(async move { self.plan(&consumer, &around).await })
    }
}

impl Planning<'_> {
    async fn plan<C: Consumer>(self, consumer: &C, around: &Surroundings) -> anyhow::Result<ExitCode> {
        let Self { tools, control, chosen, selection } = self;
        let topics = consumer.topics().iter().map(|topic| topic.name().to_string()).collect();
        let ranges = resolve(&client(&around.settings), &tools.subjects()?, topics, &selection).await?;
        if ranges.is_empty() {
            println!(
                "{}",
                if chosen.output.json { "{}" } else { "nothing of this is retained; there is nothing to replay" }
            );
            return Ok(ExitCode::SUCCESS);
        }
        if chosen.dry_run {
            let rerun = Rerun::new(consumer, around, selection).await?;
            show_dry_run(&dry_run(&rerun, &ranges).await?, chosen.at_most, chosen.output);
            return Ok(ExitCode::SUCCESS);
        }
        let operation = Operation::Replay { selection, ranges, rate: chosen.rate };
        let plan = plan::make(&control, consumer.name(), operation).await?;
        if chosen.output.json {
            println!("{}", json!({ "token": plan.token, "summary": plan.view.summary }));
        } else {
            println!("{}", plan.view.summary.join("\n"));
            println!("\nNothing is done yet. This does it:\n  sluice replay run {} --reason '...'", plan.token);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints what would change.
pub(crate) fn show_dry_run(dry: &DryRun, at_most: usize, output: Output) {
    if output.json {
        println!("{}", json!({ "report": dry.report, "differences": dry.differences }));
        return;
    }
    print_report(&dry.report);
    println!("{} rows or documents would change", dry.differences.len());
    for difference in dry.differences.iter().take(at_most) {
        print_difference(difference);
    }
    if dry.differences.len() > at_most {
        println!("  and {} more (--at-most, --json)", dry.differences.len() - at_most);
    }
}

/// A difference, field by field.
fn print_difference(difference: &Difference) {
    let sign = match (&difference.before, &difference.after) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    };
    println!("{sign} {}", difference.name());
    for (field, was, becomes) in difference.fields() {
        match sign {
            '+' => println!("    {field}: {becomes}"),
            '-' => println!("    {field}: {was}"),
            _ => println!("    {field}: {was} -> {becomes}"),
        }
    }
}

/// What came of a replay, in sentences.
fn print_report(report: &Report) {
    let mut outcomes: Vec<_> = report.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
    outcomes.sort();
    let Report { read, chosen, set_aside, .. } = report;
    println!("  {read} records read, {chosen} chosen: {}; {set_aside} not applied", outcomes.join(", "));
    for named in &report.named {
        println!("    not applied: {named}");
    }
}

/// What a comparison with the source said after a replay.
enum Check {
    /// So many rows were looked at, and all are right.
    Right(i64),
    /// So many, and so many of them are wrong.
    Wrong(i64, usize),
    /// It was not made, and why.
    Not(String),
}

impl Check {
    fn described(&self) -> Value {
        match self {
            Self::Right(looked_at) => json!({ "looked_at": looked_at, "wrong": 0 }),
            Self::Wrong(looked_at, wrong) => json!({ "looked_at": looked_at, "wrong": wrong }),
            Self::Not(why) => json!({ "not_made": why }),
        }
    }

    fn sentence(&self, consumer: &str) -> String {
        match self {
            Self::Right(looked_at) => format!("compared with the source: {looked_at}, all right"),
            Self::Wrong(looked_at, wrong) => format!(
                "compared with the source: {looked_at}, of which {wrong} are wrong; `sluice reconcile {consumer}` shows them"
            ),
            Self::Not(why) => format!("not compared with the source: {why}"),
        }
    }
}

struct Carrying<'t> {
    tools: &'t Tools<'t>,
    control: PgPool,
    audit: Audit,
    operation: Operation,
    token: String,
    reason: String,
    ticket: Option<String>,
    check: bool,
    output: Output,
}

impl<'t> Visit for Carrying<'t> {
    type Output = LocalBoxFuture<'t, anyhow::Result<ExitCode>>;

    fn visit<C: Consumer>(self, consumer: C, around: Surroundings) -> Self::Output {
        Box::pin(async move { self.carry_out(&consumer, &around).await })
    }
}

impl Carrying<'_> {
    async fn carry_out<C: Consumer>(self, consumer: &C, around: &Surroundings) -> anyhow::Result<ExitCode> {
        let Operation::Replay { selection, rate, .. } = self.operation.clone() else {
            anyhow::bail!("{} is no replay: it is a plan of `sluice {}`", self.token, plan::verb(&self.operation));
        };
        let _lease = Lease::take(&self.control, &self.token).await?;
        let (plan, begun) = match self.begin(consumer.name()).await? {
            Ok(begun) => begun,
            Err(spent) => {
                eprintln!("sluice: {spent}");
                return Ok(ExitCode::from(NOT_DONE));
            }
        };
        let rerun = Rerun::new(consumer, around, selection.clone()).await?;
        let work = async {
            let report =
                journal::run(&rerun, &self.control, &begun, rate, |left, report| self.show(left, report)).await?;
            let done = Done { outcomes: vec![json!(report).to_string()], complete: report.set_aside == 0 };
            Ok::<_, journal::JournalError>(done)
        };
        let done = audited(&self.audit, &plan, &self.reason, self.ticket.as_deref(), work).await??;
        let report: Report = serde_json::from_str(&done.outcomes.concat())?;
        if !self.output.json {
            println!("done");
            print_report(&report);
        }
        // it is done, whatever the check says
        let check = if self.check {
            self.compare(consumer, &selection).await.unwrap_or_else(|error| Check::Not(format!("{error:#}")))
        } else {
            Check::Not("--no-check".to_owned())
        };
        if self.output.json {
            let mut report = json!(report);
            report["check"] = check.described();
            println!("{report}");
        } else {
            println!("{}", check.sentence(consumer.name()));
        }
        // elsewhere something may be wrong that this replay was not about
        let is_wrong = matches!(check, Check::Wrong(..)) && !selection.entities.is_empty();
        Ok(match done.complete {
            false => ExitCode::from(NOT_DONE),
            true if is_wrong => ExitCode::from(NEEDS_A_LOOK),
            true => ExitCode::SUCCESS,
        })
    }

    /// Compares what was replayed with the source: the entities that were named, or everything.
    async fn compare<C: Consumer>(&self, consumer: &C, selection: &Selection) -> anyhow::Result<Check> {
        let comparisons = consumer.comparisons(&|service| self.tools.source(service))?;
        if comparisons.is_empty() {
            return Ok(Check::Not("its target is no copy of a source".to_owned()));
        }
        let (looked_at, wrong) = if selection.entities.is_empty() {
            let found = reconcile(&comparisons).await?;
            (found.rows, found.wrong)
        } else {
            let entities = i64::try_from(selection.entities.len())?;
            (entities, look_again(&comparisons, &selection.entities).await?)
        };
        Ok(if wrong.is_empty() { Check::Right(looked_at) } else { Check::Wrong(looked_at, wrong.len()) })
    }

    /// Takes the plan, or goes on with one that was taken and not finished.
    async fn begin(&self, consumer: &str) -> anyhow::Result<Result<(Plan, Begun), replay::Spent>> {
        if let Some(begun) = journal::find(&self.control, &self.token).await? {
            println!("going on with what was begun at {}", told(begun.started_at));
            return Ok(Ok((plan::again(&self.control, consumer, self.operation.clone(), &self.token).await?, begun)));
        }
        let plan = match plan::take(&self.control, consumer, &self.operation, &self.token).await {
            Ok(plan) => plan,
            Err(spent) => return Ok(Err(spent)),
        };
        if let Operation::Replay { ranges, .. } = &self.operation {
            journal::begin(&self.control, &self.token, consumer, ranges).await?;
        }
        let begun = journal::find(&self.control, &self.token).await?.context("the replay is not in the journal")?;
        Ok(Ok((plan, begun)))
    }

    fn show(&self, left: &[Range], report: &Report) {
        if !self.output.json {
            let left: i64 = left.iter().map(Range::records).sum();
            println!("{} records read, {left} left", report.read);
        }
    }
}
