//! A backlog of products into the search engine, in turns with the engine's own import of the same documents.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use runtime::{Batch, Change, Consumer as _, Coordinates, Decision, Effect, EntityKey, Planned};
use schemas::commerce::{category::Category, merchant::Merchant, product::Product, variant::Variant};
use schemas::{Position, Row as _};
use search_sync::{NAME, SearchSync, Touch};

use crate::catalogue::{self, CATEGORIES, VARIANTS};
use crate::engine::Engine;
use crate::process;
use crate::report::{self, Table, verdict};
use crate::stack::Stack;

const MERCHANT: i64 = 1;
const PARTITIONS: i64 = 6;
/// How many changes the runtime gives to a consumer at once.
const BATCH: usize = 2_000;
/// Partitions that are applied at once: those of products and variants, one of merchants and one of categories.
const LANES: usize = 14;

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many products there are; each has three variants.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(i64).range(1..))]
    products: i64,
    /// How many turns each of the two has.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Nothing is written to RESULTS.md.
    #[arg(long)]
    quiet: bool,
}

/// One turn of one of the two.
struct Turn {
    documents: i64,
    elapsed: Duration,
    /// Documents that were sent; each is needed once.
    imported: u64,
    cpu: Duration,
    load: String,
}

impl Turn {
    #[expect(clippy::cast_precision_loss, reason = "a count of documents is far below 2^52")]
    fn per_second(&self) -> f64 {
        self.documents as f64 / self.elapsed.as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of documents is far below 2^52")]
    fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.documents as f64
    }
}

/// Makes the catalogue, takes the turns, reports.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let load = report::load();
    let engine = Engine::open(stack)?;
    catalogue::fill(stack, MERCHANT, arguments.products).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 1..=arguments.runs {
        let measured = by_consumer(stack, &engine, arguments.products).await?;
        say("sluice", turn, &measured);
        ours.push(measured);
        // what it wrote is what the engine imports next
        let documents = engine.export().await?;
        let measured = by_engine(stack, &engine, &documents, arguments.products).await?;
        say("Typesense", turn, &measured);
        theirs.push(measured);
    }
    engine.forget().await?;
    if arguments.quiet { Ok(()) } else { publish(&load, &ours, &theirs, arguments) }
}

async fn by_consumer(stack: &Stack, engine: &Engine, products: i64) -> anyhow::Result<Turn> {
    let consumer = catalogue::consumer(stack, engine).await?;
    let backlog = backlog(&consumer, products)?;
    stack.checkpoint().await?;
    let (before, began) = (process::cpu(std::process::id())?, Instant::now());
    let consumer = &consumer;
    let lanes = backlog.into_iter().map(|batches| async move {
        let mut imported = 0;
        for batch in batches {
            let outcome = consumer.apply(&batch).await.map_err(|fault| anyhow::anyhow!("{fault}"))?;
            imported += outcome.entities("imported");
        }
        anyhow::Ok(imported)
    });
    let imported: Vec<u64> = futures::stream::iter(lanes).buffer_unordered(LANES).try_collect().await?;
    let (elapsed, after) = (began.elapsed(), process::cpu(std::process::id())?);
    engine.ensure_holds(products).await?;
    let (imported, cpu) = (imported.iter().sum(), after.saturating_sub(before));
    Ok(Turn { documents: products, elapsed, imported, cpu, load: report::load() })
}

/// The same documents, as they are, with as many and as large requests at once.
async fn by_engine(stack: &Stack, engine: &Engine, documents: &str, products: i64) -> anyhow::Result<Turn> {
    catalogue::consumer(stack, engine).await?;
    let lines: Vec<&str> = documents.lines().collect();
    let parts: Vec<String> = lines.chunks(engine.settings.chunk_products).map(|part| part.join("\n")).collect();
    stack.checkpoint().await?;
    let (before, began) = (process::cpu(std::process::id())?, Instant::now());
    let importing = parts.into_iter().map(|part| engine.import(part));
    let requests = futures::stream::iter(importing).buffer_unordered(engine.settings.concurrency);
    requests.try_collect::<()>().await?;
    let (elapsed, after) = (began.elapsed(), process::cpu(std::process::id())?);
    engine.ensure_holds(products).await?;
    let (imported, cpu) = (lines.len() as u64, after.saturating_sub(before));
    Ok(Turn { documents: products, elapsed, imported, cpu, load: report::load() })
}

/// What the runtime would give to the consumer: for each partition its batches, in which every product and variant, the
/// merchant and the categories were created.
fn backlog(consumer: &SearchSync, products: i64) -> anyhow::Result<Vec<Vec<Batch<search_sync::Plan>>>> {
    let mut partitions: Vec<Vec<Change<Touch>>> = vec![Vec::new(); usize::try_from(2 * PARTITIONS)?];
    for place in 1..=products {
        let id = place * 10;
        let product = change(Product::TOPIC, id, Touch::Product { id, version: 1 });
        partitions[usize::try_from(place % PARTITIONS)?].push(product);
        for variant in id + 1..=id + VARIANTS {
            let touch = Touch::Variant { id: variant, product_id: id, version: 1 };
            partitions[usize::try_from(PARTITIONS + variant % PARTITIONS)?].push(change(
                Variant::TOPIC,
                variant,
                touch,
            ));
        }
    }
    partitions.push(vec![change(Merchant::TOPIC, MERCHANT, Touch::Merchant { id: MERCHANT, version: 1 })]);
    let category = |id| change(Category::TOPIC, id, Touch::Category { id, version: 1 });
    partitions.push((1..=CATEGORIES).map(category).collect());
    let batches = |changes: Vec<Change<Touch>>| changes.chunks(BATCH).map(|part| batch(consumer, part)).collect();
    partitions.into_iter().map(batches).collect()
}

fn change(topic: &'static str, id: i64, row: Touch) -> Change<Touch> {
    Change {
        entity: EntityKey::new(topic.into(), &id.to_string()),
        coordinates: Coordinates { topic: topic.into(), partition: 0, offset: 1 },
        position: Position::default(),
        committed_ms: 0,
        effect: Effect::Upsert { row, update: false },
    }
}

fn batch(consumer: &SearchSync, changes: &[Change<Touch>]) -> anyhow::Result<Batch<search_sync::Plan>> {
    let plan = |change: &Change<Touch>| {
        let Decision::Apply(plan) = consumer.decide(change) else { anyhow::bail!("{change:?} is not applied") };
        let (entity, coordinates) = (change.entity.clone(), change.coordinates.clone());
        Ok(Planned { entity, position: change.position, coordinates, plan })
    };
    let plans = changes.iter().map(plan).collect::<anyhow::Result<_>>()?;
    Ok(Batch { consumer: NAME, plans, mark: None })
}

fn say(who: &str, turn: u32, measured: &Turn) {
    println!(
        "{who:>10} {turn}: {:.1} s, {:.0} documents/s, {} sent, {:.0} us CPU/document, load {}",
        measured.elapsed.as_secs_f64(),
        measured.per_second(),
        measured.imported,
        measured.cpu_us(),
        measured.load
    );
}

fn publish(load: &str, ours: &[Turn], theirs: &[Turn], arguments: &Arguments) -> anyhow::Result<()> {
    let best = |turns: &[Turn]| turns.iter().map(Turn::per_second).fold(0.0, f64::max);
    let ratio = best(ours) / best(theirs);
    let mut targets = Table::new(&["what", "sluice", "Typesense alone", "ratio", "target", ""]);
    targets.row([
        "documents/s, best turn of each".to_owned(),
        format!("{:.0}", best(ours)),
        format!("{:.0}", best(theirs)),
        format!("{ratio:.2}"),
        ">= 0.9".to_owned(),
        verdict(ratio >= 0.9),
    ]);
    let mut turns = Table::new(&["turn", "who", "seconds", "documents/s", "sent", "us CPU/document", "load average"]);
    for (turn, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        for (who, measured) in [("sluice", ours), ("Typesense alone", theirs)] {
            turns.row([
                (turn + 1).to_string(),
                who.to_owned(),
                format!("{:.1}", measured.elapsed.as_secs_f64()),
                format!("{:.0}", measured.per_second()),
                measured.imported.to_string(),
                format!("{:.0}", measured.cpu_us()),
                measured.load.clone(),
            ]);
        }
    }
    let (products, variants) = (arguments.products, arguments.products * VARIANTS);
    let note = format!(
        "{products} products with {variants} variants, {} changes; after every turn of both the collection held {products} documents.",
        products + variants + CATEGORIES + 1
    );
    report::publish("search", load, &[&targets, &turns], &[note])
}
