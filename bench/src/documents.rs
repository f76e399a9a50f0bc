//! What an operator's tools take among a million documents: a collection made anew beside the one that is searched, and a
//! reconciliation of what is searched.

use std::time::Instant;

use anyhow::ensure;
use replay::reconcile::reconcile;
use runtime::Consumer as _;

use crate::catalogue::{self, SOURCE, VARIANTS};
use crate::engine::Engine;
use crate::process;
use crate::report::{self, Table, verdict};
use crate::stack::Stack;

const MERCHANTS: i64 = 50;
/// How many documents are removed, changed and invented together.
const DAMAGED: usize = 300;

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many products there are; each has three variants.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1000..))]
    products: i64,
    /// Nothing is written to RESULTS.md.
    #[arg(long)]
    quiet: bool,
}

/// What was measured, in seconds.
struct Measured {
    fill: f64,
    settle: f64,
    reconcile: f64,
    /// The most that the process held while it reconciled, in MB.
    peak: f64,
}

/// Makes the catalogue, fills a collection, compares it, damages it, reconciles it, reports.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let load = report::load();
    let engine = Engine::open(stack)?;
    let began = Instant::now();
    catalogue::fill(stack, MERCHANTS, arguments.products).await?;
    println!("{} products with their variants: {:.0} s", arguments.products, began.elapsed().as_secs_f64());
    let measured = measure(stack, &engine, arguments.products).await;
    engine.forget().await?;
    let measured = measured?;
    if arguments.quiet { Ok(()) } else { publish(&load, &measured, arguments.products) }
}

async fn measure(stack: &Stack, engine: &Engine, products: i64) -> anyhow::Result<Measured> {
    let fault = |fault: runtime::Fault| anyhow::anyhow!("{fault}");
    let consumer = catalogue::consumer(stack, engine).await?;
    let reindex = consumer.reindex();
    let found = reindex.look().await.map_err(fault)?;
    stack.checkpoint().await?;

    let began = Instant::now();
    reindex.fill(&found.next, |_| ()).await.map_err(fault)?;
    let fill = began.elapsed().as_secs_f64();
    println!("a new collection is filled: {fill:.1} s");

    let began = Instant::now();
    let settled = reindex.settle(&found.next, |_| ()).await.map_err(fault)?;
    let settle = began.elapsed().as_secs_f64();
    println!("and compared: {settle:.1} s");
    ensure!(settled.documents == products && settled.mended == 0 && settled.wrong == 0, "{settled:?}");
    reindex.put(&found.searched, &found.next, false).await.map_err(fault)?;
    engine.ensure_holds(products).await?;

    let step = usize::try_from(products)? / DAMAGED;
    let damaged: Vec<i64> = (1..=products).step_by(step).take(DAMAGED).map(|place| place * 10).collect();
    engine.damage(&damaged).await?;
    process::forget_peak(std::process::id());
    let began = Instant::now();
    let source = |_: &str| Ok(catalogue::pool(stack, SOURCE));
    let found = reconcile(&consumer.comparisons(&source)?).await.map_err(fault)?;
    let reconcile = began.elapsed().as_secs_f64();
    let peak = process::megabytes(std::process::id(), "status", "VmHWM")?;
    println!("what is searched is reconciled: {reconcile:.1} s, {peak:.0} MB at the most");
    ensure!(found.rows == products && found.wrong.len() == DAMAGED, "{} rows, {} wrong", found.rows, found.wrong.len());
    Ok(Measured { fill, settle, reconcile, peak })
}

#[expect(clippy::cast_precision_loss, reason = "a count of documents is far below 2^52")]
fn publish(load: &str, measured: &Measured, products: i64) -> anyhow::Result<()> {
    let Measured { fill, settle, reconcile, peak } = measured;
    let per_second = |seconds: &f64| format!("{:.0}", products as f64 / seconds);
    let mut table = Table::new(&["what", "seconds", "documents/s", "target", ""]);
    for (what, seconds, target, is_met) in [
        ("a new collection, filled from the source", fill, "", String::new()),
        ("the new collection, compared with the source", settle, "", String::new()),
        ("what is searched, reconciled with the source", reconcile, "< 60 s", verdict(*reconcile < 60.0)),
    ] {
        table.row([what.to_owned(), format!("{seconds:.1}"), per_second(seconds), target.to_owned(), is_met]);
    }
    let note = format!(
        "{products} products of {MERCHANTS} merchants with {} variants; the reconciliation finds the {DAMAGED} that were removed, changed and invented, with its second look, and held {peak:.0} MB at the most.",
        products * VARIANTS
    );
    report::publish("documents", load, &[&table], &[note])
}
