//! `sluice reconcile <consumer>`: whether its target shows what the source holds, and making it so.

use std::collections::BTreeSet;
use std::process::ExitCode;

use futures::future::LocalBoxFuture;
use platform::config::Environment;
use replay::execute::audited;
use replay::range::{client, resolve};
use replay::reconcile::{Found, Kind, Wrong, look_again, reconcile};
use replay::repair;
use replay::rerun::Rerun;
use replay::{Audit, Done, Operation, Selection, plan};
use runtime::{Comparison, Consumer, Surroundings};
use serde_json::json;
use sqlx::PgPool;

use crate::consume::{Visit, with};
use crate::operator::{Execution, NEEDS_A_LOOK, NOT_DONE, Output, audit, control};
use crate::tools::Tools;

/// Compares source and target, in ranges and then row by row or document by document; what differs is looked at again after
/// the lag has passed. Exit code 3 when something is wrong.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The consumer.
    consumer: String,
    /// Plan the repair of what is wrong.
    #[arg(long)]
    repair: bool,
    /// How many wrong rows are shown.
    #[arg(long, default_value_t = 20)]
    at_most: usize,
    #[command(flatten)]
    execution: Execution,
    #[command(flatten)]
    output: Output,
}

/// Compares; repairs when that was planned.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (tools, control) = (Tools::new(environment)?, control(environment)?);
    let audit = arguments.execution.token().map(|_| audit(environment, &control)).transpose()?;
    let comparing = Comparing { tools: &tools, control, audit, arguments };
    with(&arguments.consumer, &tools.ground(), comparing)?.await
}

struct Comparing<'a> {
    tools: &'a Tools<'a>,
    control: PgPool,
    audit: Option<Audit>,
    arguments: &'a Arguments,
}

impl<'a> Visit for Comparing<'a> {
    type Output = LocalBoxFuture<'a, anyhow::Result<ExitCode>>;

    fn visit<C: Consumer>(self, consumer: C, around: Surroundings) -> Self::Output {
        Box::pin(async move { self.compare(&consumer, &around).await })
    }
}

impl Comparing<'_> {
    async fn compare<C: Consumer>(self, consumer: &C, around: &Surroundings) -> anyhow::Result<ExitCode> {
        let comparisons = consumer.comparisons(&|service| self.tools.source(service))?;
        anyhow::ensure!(!comparisons.is_empty(), "{} has nothing to compare: its target is no copy", consumer.name());
        let found = reconcile(&comparisons).await?;
        let token = self.arguments.execution.token();
        if token.is_none() {
            self.print(&found);
        }
        if found.wrong.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let operation = operation(&found.wrong);
        if let Some(token) = token {
            return self.repair(consumer, around, operation, token, &comparisons).await;
        }
        if self.arguments.repair {
            let plan = plan::make(&self.control, consumer.name(), operation).await?;
            println!("\n{}\n\nNothing is done yet. This does it:", plan.view.summary.join("\n"));
            println!("  sluice reconcile {} --repair --execute {} --reason '...'", consumer.name(), plan.token);
        }
        Ok(ExitCode::from(NEEDS_A_LOOK))
    }

    fn print(&self, found: &Found) {
        if self.arguments.output.json {
            println!("{}", json!(found));
            return;
        }
        let count = |kind: Kind| found.wrong.iter().filter(|wrong| wrong.kind == kind).count();
        let counts: Vec<String> = Kind::ALL.iter().map(|kind| format!("{} {kind}", count(*kind))).collect();
        println!("{} rows of the source: {}", found.rows, counts.join(", "));
        if found.cut {
            println!("so much is wrong that the rest was not compared; repair this and compare again");
        }
        for wrong in found.wrong.iter().take(self.arguments.at_most) {
            let Wrong { target, entity, kind, source, shown } = wrong;
            println!("  {kind:<9} {target} of {entity}");
            println!("            source {}", source.as_deref().unwrap_or("has no such row"));
            println!("            target {}", shown.as_deref().unwrap_or("has no such row"));
        }
    }

    async fn repair<C: Consumer>(
        &self,
        consumer: &C,
        around: &Surroundings,
        operation: Operation,
        token: &str,
        comparisons: &[Box<dyn Comparison>],
    ) -> anyhow::Result<ExitCode> {
        let (Some(audit), Some(reason)) = (&self.audit, self.arguments.execution.reason()) else {
            anyhow::bail!("a repair needs --reason");
        };
        let plan = match plan::take(&self.control, consumer.name(), &operation, token).await {
            Ok(plan) => plan,
            Err(spent) => {
                eprintln!("sluice: {spent}");
                return Ok(ExitCode::from(NOT_DONE));
            }
        };
        let Operation::Repair { again, gone } = operation else { anyhow::bail!("no repair") };
        let work = self.mend(consumer, around, &again, &gone, comparisons);
        let done = audited(audit, &plan, reason, self.arguments.execution.ticket(), work).await??;
        if self.arguments.output.json {
            println!("{}", json!({ "outcomes": done.outcomes, "complete": done.complete }));
        } else {
            println!("{}", done.outcomes.join("\n"));
        }
        Ok(if done.complete { ExitCode::SUCCESS } else { ExitCode::from(NOT_DONE) })
    }

    /// Makes again what can be made from the source, applies the changes of the rest again, and compares.
    async fn mend<C: Consumer>(
        &self,
        consumer: &C,
        around: &Surroundings,
        again: &BTreeSet<String>,
        gone: &BTreeSet<String>,
        comparisons: &[Box<dyn Comparison>],
    ) -> anyhow::Result<Done> {
        let all: BTreeSet<String> = again.union(gone).cloned().collect();
        let mended = repair::mend(comparisons, &all).await?;
        let again: BTreeSet<String> = again.difference(&mended.entities).cloned().collect();
        let gone: BTreeSet<String> = gone.difference(&mended.entities).cloned().collect();
        let applied = self.apply_again(consumer, around, again).await?;
        let removed = repair::remove(consumer, &gone).await?;
        let left = look_again(comparisons, &all).await?;
        let mut done = Vec::new();
        if !mended.entities.is_empty() {
            done.push(format!("{} made again from the source's present state", mended.count));
        }
        if mended.entities.len() < all.len() {
            done.push(format!("{applied} changes applied again, {removed} entities deleted"));
        }
        done.push(format!("{} still wrong", left.len()));
        let mut outcomes = vec![done.join(", ")];
        outcomes.extend(left.iter().map(|Wrong { target, entity, kind, .. }| {
            let help = if mended.entities.contains(entity) {
                "the target refuses it (the log says why), or it changes at this moment"
            } else {
                "its changes are retained no more: `sluice connectors snapshot` reads its row again"
            };
            format!("still {kind}: {target} of {entity}: {help}")
        }));
        Ok(Done { outcomes, complete: left.is_empty() })
    }

    /// Applies the retained changes of these entities again; answers how many.
    async fn apply_again<C: Consumer>(
        &self,
        consumer: &C,
        around: &Surroundings,
        entities: BTreeSet<String>,
    ) -> anyhow::Result<u64> {
        if entities.is_empty() {
            return Ok(0);
        }
        let topics = consumer.topics().iter().map(|topic| topic.name().to_string()).collect();
        let selection = Selection { entities, ..Selection::default() };
        let ranges = resolve(&client(&around.settings), &self.tools.subjects()?, topics, &selection).await?;
        Ok(Rerun::new(consumer, around, selection).await?.through(&ranges).await?.chosen)
    }
}

/// The repair of what is wrong.
fn operation(wrong: &[Wrong]) -> Operation {
    let of = |is_gone: bool| {
        wrong.iter().filter(|wrong| (wrong.kind == Kind::Extra) == is_gone).map(|wrong| wrong.entity.clone()).collect()
    };
    Operation::Repair { again: of(false), gone: of(true) }
}
