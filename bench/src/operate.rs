//! What an operator's tools take among a million records: replay, dry run, trace, reconcile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use platform::config::Reader;
use replay::range::{client, resolve};
use replay::reconcile::reconcile;
use replay::rerun::Rerun;
use replay::trace::Library;
use replay::{Range, Selection, dry_run};
use runtime::{EntityKey, Projection, Settings};
use schemas::Registry;
use schemas::ccompat::Ccompat;
use sqlx::{Connection as _, PgConnection};

use crate::consumer::{self, Variants};
use crate::process::Running;
use crate::report::{self, Table, verdict};
use crate::source::Source;
use crate::stack::Stack;

/// How many rows the source has, and the topic records.
const ROWS: i64 = 1_000_000;
const INSERT: &str = "insert into variant
    select 900000000000000000 + g * 4096, 800000000000000000 + g / 3, 1 + g % 50, 'SKU-' || g, 'Cà phê sữa đá ' || g,
           25000 + g, 12000, 'VAT8', null, '{\"size\": \"L\"}'
      from generate_series(1, 1000000::bigint) g";

const TARGET: &str = "bench_target";
const CONTROL: &str = "bench_control";
/// How long one turn may take.
const DEADLINE: Duration = Duration::from_mins(5);
/// How many records a dry run reads.
const DRY: i64 = 10_000;
/// How many rows a dry run must show.
const DAMAGED: usize = 100;

/// What the target must show of the source.
const PROJECTION: Projection = Projection {
    name: "variant",
    topic: "bench_operate.public.variant",
    source: "select id as key, jsonb_build_array(product_id, merchant_id, sku, name, price, cost, tax_code, barcode, attributes)::text
                    as content, (extract(epoch from updated_at) * 1000000)::bigint as as_of from variant",
    target: "select id as key, jsonb_build_array(product_id, merchant_id, sku, name, price, cost, tax_code, barcode, attributes)::text
                    as content, (extract(epoch from updated_at) * 1000000)::bigint as as_of from variant",
};

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often the live consumer and the replay drain the topic, each.
    #[arg(long, default_value_t = 2)]
    turns: u32,
    /// Nothing is written to RESULTS.md.
    #[arg(long)]
    quiet: bool,
}

/// What was measured.
#[derive(Default)]
struct Measured {
    live: Vec<f64>,
    replay: Vec<f64>,
    dry_run: f64,
    trace: f64,
    reconcile: f64,
}

/// Measures all of it and reports.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let load = report::load();
    let source = Source::new(stack, "bench_operate")?;
    fill(&source).await?;
    let bench = Bench { stack, source, settings: settings(stack)? };
    let mut measured = Measured::default();
    for turn in 1..=arguments.turns {
        let live = bench.live(turn).await?;
        let replayed = bench.replay().await?;
        println!("turn {turn}: live {:.0} records/s, replay {:.0} records/s", rate(live), rate(replayed));
        measured.live.push(live);
        measured.replay.push(replayed);
    }
    measured.dry_run = bench.dry_run().await?;
    println!("dry run of {DRY} records: {:.1} s", measured.dry_run);
    measured.trace = bench.trace().await?;
    println!("trace among {ROWS} records, slowest of five: {:.1} s", measured.trace);
    measured.reconcile = bench.reconcile().await?;
    println!("reconciliation of {ROWS} rows: {:.1} s", measured.reconcile);
    if arguments.quiet { Ok(()) } else { publish(&load, &measured) }
}

#[expect(clippy::cast_precision_loss, reason = "1,000,000")]
fn rate(seconds: f64) -> f64 {
    ROWS as f64 / seconds
}

fn settings(stack: &Stack) -> anyhow::Result<Settings> {
    let mut reader = Reader::new(&stack.environment);
    let settings = Settings::read(consumer::NAME, &mut reader);
    Ok(reader.finish(settings)?.0)
}

async fn fill(source: &Source<'_>) -> anyhow::Result<()> {
    if source.records()? == ROWS {
        println!("the {ROWS} records are there");
        return source.disconnect().await;
    }
    source.remake().await?;
    source.connect().await?;
    let began = Instant::now();
    source.execute(INSERT).await?;
    source.await_records(ROWS).await?;
    println!("Debezium wrote {ROWS} records: {:.0}/s", rate(began.elapsed().as_secs_f64()));
    source.disconnect().await
}

/// What every measurement needs.
struct Bench<'s> {
    stack: &'s Stack,
    source: Source<'s>,
    settings: Settings,
}

impl Bench<'_> {
    async fn live(&self, turn: u32) -> anyhow::Result<f64> {
        self.stack.fresh_target(TARGET, CONTROL).await?;
        self.stack.checkpoint().await?;
        let group = format!("bench-operate-{}-{turn}", std::process::id());
        let began = Instant::now();
        let mut consumer = Running::consumer(&self.source.topic(), &group, TARGET, CONTROL)?;
        self.await_rows(&mut consumer).await?;
        let seconds = began.elapsed().as_secs_f64();
        consumer.stop()?;
        Ok(seconds)
    }

    async fn await_rows(&self, consumer: &mut Running) -> anyhow::Result<()> {
        let mut connection = self.stack.connection(TARGET).await?;
        let began = Instant::now();
        while count(&mut connection).await? < ROWS {
            consumer.ensure_alive()?;
            ensure!(began.elapsed() < DEADLINE, "the consumer is not done after {DEADLINE:?}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        connection.close().await?;
        Ok(())
    }

    fn consumer(&self) -> anyhow::Result<(Variants, runtime::Surroundings)> {
        consumer::make(self.stack, self.settings.clone(), self.source.topic(), TARGET, CONTROL)
    }

    async fn ranges(&self) -> anyhow::Result<Vec<Range>> {
        let topics = vec![self.source.topic()];
        Ok(resolve(&client(&self.settings), &self.subjects()?, topics, &Selection::default()).await?)
    }

    fn subjects(&self) -> anyhow::Result<Ccompat> {
        let address = self.stack.get("APP_ENV_SCHEMA_REGISTRY_URL")?;
        Ok(Ccompat::new(address, reqwest::Client::builder().build()?))
    }

    async fn replay(&self) -> anyhow::Result<f64> {
        self.stack.fresh_target(TARGET, CONTROL).await?;
        self.stack.checkpoint().await?;
        let (variants, around) = self.consumer()?;
        let began = Instant::now();
        let ranges = self.ranges().await?;
        let report = Rerun::new(&variants, &around, Selection::default()).await?.through(&ranges).await?;
        let seconds = began.elapsed().as_secs_f64();
        ensure!(i64::try_from(report.read)? == ROWS && report.set_aside == 0, "{report:?}");
        let mut connection = self.stack.connection(TARGET).await?;
        ensure!(count(&mut connection).await? == ROWS, "rows are missing after the replay");
        connection.close().await?;
        Ok(seconds)
    }

    async fn dry_run(&self) -> anyhow::Result<f64> {
        let (variants, around) = self.consumer()?;
        let mut range = self.ranges().await?.into_iter().next().context("the topic has no records")?;
        range.to = range.from + DRY;
        let mut connection = self.stack.connection(TARGET).await?;
        let damaged = &self.source.ids_in(range.partition, range.from, DAMAGED)?;
        set_price(&mut connection, damaged, "price + 1").await?;
        let began = Instant::now();
        let rerun = Rerun::new(&variants, &around, Selection::default()).await?;
        let dry = dry_run::dry_run(&rerun, &[range]).await?;
        let seconds = began.elapsed().as_secs_f64();
        ensure!(dry.differences.len() == damaged.len(), "it shows {} differences", dry.differences.len());
        set_price(&mut connection, damaged, "price - 1").await?;
        connection.close().await?;
        Ok(seconds)
    }

    async fn trace(&self) -> anyhow::Result<f64> {
        let (_, around) = self.consumer()?;
        let registry =
            Arc::new(Registry::new(self.stack.get("APP_ENV_SCHEMA_REGISTRY_URL")?, reqwest::Client::builder())?);
        let library = Library::new(&self.settings, registry, self.subjects()?);
        let mut slowest = 0.0_f64;
        for place in 1..=5_i64 {
            let id = 900_000_000_000_000_000 + place * (ROWS / 5) * 4096;
            let entity = EntityKey::new(self.source.topic().as_str().into(), &id.to_string());
            let began = Instant::now();
            let records = library.records(&around.control, &entity, &[]).await?;
            slowest = slowest.max(began.elapsed().as_secs_f64());
            ensure!(records.len() == 1, "{entity} has {} records", records.len());
        }
        Ok(slowest)
    }

    async fn reconcile(&self) -> anyhow::Result<f64> {
        let mut connection = self.stack.connection(TARGET).await?;
        for statement in [
            "delete from variant where id in (select id from variant order by hashint8(id) limit 100)",
            "update variant set name = 'damaged' where id in (select id from variant order by hashint8(id) desc limit 100)",
            "insert into variant select (jsonb_populate_record(v, jsonb_build_object('id', v.id + 1))).*
               from variant v order by hashint8(v.id) limit 100",
        ] {
            let done = sqlx::query(statement).execute(&mut connection).await?;
            ensure!(done.rows_affected() == 100, "{statement}: {}", done.rows_affected());
        }
        sqlx::query("analyze variant").execute(&mut connection).await?;
        connection.close().await?;
        let pool = |database: &str| {
            let settings = platform::postgres::PoolSettings::named("bench").max_connections(4);
            platform::postgres::connect(&self.stack.url(database), &settings)
        };
        let (source, target) = (pool(self.source.name)?, pool(TARGET)?);
        let began = Instant::now();
        let found = reconcile(&[PROJECTION.between(source, target)]).await?;
        let seconds = began.elapsed().as_secs_f64();
        ensure!(found.rows == ROWS && found.wrong.len() == 300, "{} rows, {} wrong", found.rows, found.wrong.len());
        Ok(seconds)
    }
}

async fn count(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from variant").fetch_one(connection).await
}

async fn set_price(connection: &mut PgConnection, ids: &[i64], price: &'static str) -> sqlx::Result<()> {
    let statement = format!("update variant set price = {price} where id = any($1)");
    sqlx::query(sqlx::AssertSqlSafe(statement)).bind(ids).execute(connection).await?;
    Ok(())
}

fn publish(load: &str, measured: &Measured) -> anyhow::Result<()> {
    let best = |seconds: &[f64]| rate(seconds.iter().copied().fold(f64::INFINITY, f64::min));
    let (live, replay) = (best(&measured.live), best(&measured.replay));
    let mut table = Table::new(&["what", "figure", "reference", "ratio", "target", ""]);
    table.row([
        "replay, records/s, best turn of each (reference: the live consumer)".to_owned(),
        format!("{replay:.0}"),
        format!("{live:.0}"),
        format!("{:.2}", replay / live),
        ">= 0.8".to_owned(),
        verdict(replay / live >= 0.8),
    ]);
    for (what, seconds, target) in [
        ("dry run of 10,000 records, s", measured.dry_run, 10.0),
        ("trace among 1,000,000 records, slowest of five, s", measured.trace, 5.0),
        ("reconciliation of 1,000,000 rows, s", measured.reconcile, 60.0),
    ] {
        table.row([
            what.to_owned(),
            format!("{seconds:.1}"),
            String::new(),
            String::new(),
            format!("< {target}"),
            verdict(seconds < target),
        ]);
    }
    let note = "The dry run shows the 100 rows that were damaged; the reconciliation finds the 300 that were removed, changed and invented.";
    report::publish("operate", load, &[&table], &[note.to_owned()])
}
