//! What processes cost that have nothing to do.

use std::time::{Duration, Instant};

use connectors::{Configuration, Connect};
use sqlx::Connection as _;
use sqlx::postgres::PgPoolOptions;

use crate::process::{self, Running};
use crate::report::{self, Table, verdict};
use crate::sluice::{Sluice, root};
use crate::source::Source;
use crate::stack::Stack;

/// How long a process has to catch up and to come to rest.
const REST: Duration = Duration::from_secs(10);
const TARGET: &str = "bench_target";
const CONTROL: &str = "bench_control";

/// Changes for the real consumers to have applied: what never read a record is smaller than what did.
const MERCHANTS: &str = "
insert into merchant (id, name, industry, taxpayer, address_line, status, deletion_policy, created_by, version, created_at, updated_at)
select i, 'Quán ' || i, 'RETAIL', 'HOUSEHOLD', '1 Lê Lợi', 'ACTIVE', 'RESTRICT', 1, 1, now(), now() from generate_series(1, 600) i
on conflict do nothing";

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each process is watched, in seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Nothing is written to RESULTS.md.
    #[arg(long)]
    quiet: bool,
}

/// What a process held and took while it was watched.
struct Watched {
    what: &'static str,
    resident_mb: f64,
    proportional_mb: f64,
    /// Of one core, in percent.
    cpu_share: f64,
    /// What it may hold.
    limit_mb: f64,
}

/// Watches one process after the other, and reports.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let load = report::load();
    let seconds = Duration::from_secs(arguments.seconds.into());
    let mut watched = vec![own_consumer(stack, seconds).await?];
    let sluice = Sluice::built(stack)?;
    for words in [&["migrate"][..], &["identity", "bootstrap"], &["schemas", "push"], &["connectors", "apply"]] {
        sluice.run(words)?;
    }
    let done = roles(stack, &sluice, seconds, &mut watched).await;
    // a slot that nobody reads would hold the log back for whatever runs next on a stack that is kept
    disconnect(stack).await?;
    let status = done?;
    if arguments.quiet { Ok(()) } else { publish(&load, &watched, status, arguments) }
}

/// The bench's own consumer, on a topic of six partitions whose end it stands at.
async fn own_consumer(stack: &Stack, seconds: Duration) -> anyhow::Result<Watched> {
    let source = Source::new(stack, "bench_idle")?;
    source.remake().await?;
    source.connect().await?;
    source
        .execute(
            "insert into variant select g, 1, 1, 's', 'n', 1, 1, 'VAT8', null, '{}' from generate_series(1, 600) g",
        )
        .await?;
    source.await_records(600).await?;
    source.disconnect().await?;
    stack.fresh_target(TARGET, CONTROL).await?;
    let group = format!("bench-idle-{}", std::process::id());
    let mut consumer = Running::consumer(&source.topic(), &group, TARGET, CONTROL)?;
    let watched = watch("the consumer of drain", &mut consumer, seconds, 60.0).await?;
    consumer.stop()?;
    Ok(watched)
}

/// The roles of `sluice`: a consumer, a shell, everything. Answers how long `sluice status` of everything takes.
async fn roles(
    stack: &Stack,
    sluice: &Sluice,
    seconds: Duration,
    watched: &mut Vec<Watched>,
) -> anyhow::Result<Duration> {
    let mut commerce = stack.connection("commerce").await?;
    sqlx::raw_sql(MERCHANTS).execute(&mut commerce).await?;
    commerce.close().await?;

    let mut consumer = sluice.start(&["consume", "merchant-tax"]).await?;
    await_tax_info(stack, &mut consumer).await?;
    watched.push(watch("sluice consume merchant-tax", &mut consumer, seconds, 60.0).await?);
    consumer.stop()?;

    // a shell that never had identity's keys and policies would be one that does not serve
    let mut identity = sluice.start_beside(&["serve", "identity"]).await?;
    let mut shell = sluice.start(&["serve", "commerce"]).await?;
    watched.push(watch("sluice serve commerce", &mut shell, seconds, 30.0).await?);
    shell.stop()?;
    identity.stop()?;

    let mut everything = sluice.start(&["dev"]).await?;
    watched.push(watch("sluice dev", &mut everything, seconds, 150.0).await?);
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let began = Instant::now();
        sluice.run(&["status"])?;
        slowest = slowest.max(began.elapsed());
    }
    println!("sluice status of everything, slowest of five: {:.2} s", slowest.as_secs_f64());
    everything.stop()?;
    Ok(slowest)
}

/// Waits until every merchant has come to invoice.
async fn await_tax_info(stack: &Stack, consumer: &mut Running) -> anyhow::Result<()> {
    let mut invoice = stack.connection("invoice").await?;
    for _ in 0..300 {
        consumer.ensure_alive()?;
        let rows: i64 = sqlx::query_scalar("select count(*) from tax_info").fetch_one(&mut invoice).await?;
        if rows >= 600 {
            invoice.close().await?;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("merchant-tax does not catch up; see {}", process::log("sluice-consume-merchant-tax").display())
}

async fn watch(what: &'static str, running: &mut Running, seconds: Duration, limit_mb: f64) -> anyhow::Result<Watched> {
    tokio::time::sleep(REST).await;
    let (before, began) = (process::cpu(running.pid())?, Instant::now());
    tokio::time::sleep(seconds).await;
    running.ensure_alive()?;
    let taken = process::cpu(running.pid())?.saturating_sub(before);
    let watched = Watched {
        what,
        resident_mb: process::megabytes(running.pid(), "status", "VmRSS")?,
        proportional_mb: process::megabytes(running.pid(), "smaps_rollup", "Pss")?,
        cpu_share: taken.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0,
        limit_mb,
    };
    println!(
        "{what}: {:.1} MB resident, {:.1} MB proportional, {:.2} % of a core",
        watched.resident_mb, watched.proportional_mb, watched.cpu_share
    );
    Ok(watched)
}

/// Removes the connectors of the source services, their offsets and their slots.
async fn disconnect(stack: &Stack) -> anyhow::Result<()> {
    let connect = Connect::new(stack.get("APP_ENV_CONNECT_URL")?, reqwest::Client::new());
    let folder = root().join("connectors");
    for service in connectors::template::services(&folder)? {
        let configuration = Configuration::load(&folder, &service, &stack.environment)?;
        let database = PgPoolOptions::new().max_connections(1).connect_lazy_with(stack.options(&service));
        connectors::delete::delete(&connect, &configuration, &database).await?;
        database.close().await;
    }
    Ok(())
}

fn publish(load: &str, watched: &[Watched], status: Duration, arguments: &Arguments) -> anyhow::Result<()> {
    let mut table =
        Table::new(&["what", "resident (RSS), MB", "target", "", "PSS, MB", "CPU, % of a core", "target", ""]);
    for process in watched {
        table.row([
            process.what.to_owned(),
            format!("{:.1}", process.resident_mb),
            format!("< {:.0}", process.limit_mb),
            verdict(process.resident_mb < process.limit_mb),
            format!("{:.1}", process.proportional_mb),
            format!("{:.2}", process.cpu_share),
            "< 3".to_owned(),
            verdict(process.cpu_share < 3.0),
        ]);
    }
    let note = format!("Each watched for {} s, {} s after it was ready.", arguments.seconds, REST.as_secs());
    let mut screen = Table::new(&["what", "figure", "target", ""]);
    screen.row([
        "`sluice status` of everything, slowest of five, s".to_owned(),
        format!("{:.2}", status.as_secs_f64()),
        "< 1".to_owned(),
        verdict(status < Duration::from_secs(1)),
    ]);
    report::publish("idle", load, &[&table, &screen], &[note])
}
