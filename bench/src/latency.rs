//! From commit to effect: how long after its commit a change is visible in the target, to another connection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::BaseConsumer;
use sqlx::{Connection as _, PgConnection};

use crate::process::Running;
use crate::report::{self, Table, percentile, verdict};
use crate::source::{Source, id_of};
use crate::stack::Stack;

/// Databases of the target and of the control data.
const TARGET: &str = "bench_target";
const CONTROL: &str = "bench_control";
/// How many connections commit; one alone may be slower than the rate that is asked for.
const WRITERS: u32 = 4;

/// The share of a rate that must be held for a run to say something of it.
const HELD: f64 = 0.98;

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each rate is held, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Commits per second; may be repeated.
    #[arg(long, default_values_t = [100, 1_000])]
    rates: Vec<u32>,
    /// How often each rate is measured; the quieter run counts.
    #[arg(long, default_value_t = 2)]
    runs: u32,
    /// Nothing is written to RESULTS.md.
    #[arg(long)]
    quiet: bool,
}

/// When each id was committed, seen in Kafka, and seen in the target.
#[derive(Default)]
struct Times(Mutex<BTreeMap<i64, Time>>);

#[derive(Clone, Copy)]
struct Time {
    committed: Instant,
    in_kafka: Option<Instant>,
    visible: Option<Instant>,
}

impl Times {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<i64, Time>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The ids that are committed and not visible yet.
    fn pending(&self) -> Vec<i64> {
        self.with(|times| times.iter().filter(|(_, time)| time.visible.is_none()).map(|(id, _)| *id).collect())
    }
}

/// One rate, measured.
struct Measured {
    rate: u32,
    reached: f64,
    lost: usize,
    kafka: Vec<f64>,
    visible: Vec<f64>,
    load: String,
}

/// Measures every rate and reports.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let load = report::load();
    let source = Source::new(stack, "bench_live")?;
    source.remake().await?;
    source.connect().await?;
    warm_up(stack, &source).await?;
    stack.fresh_target(TARGET, CONTROL).await?;
    stack.checkpoint().await?;
    let group = format!("bench-live-{}", std::process::id());
    let mut consumer = Running::consumer(&source.topic(), &group, TARGET, CONTROL)?;
    await_rows(stack, source.name).await?;
    let mut best: Vec<Measured> = Vec::new();
    for rate in &arguments.rates {
        for run in 1..=arguments.runs {
            let measured = measure(stack, &source, *rate, arguments.seconds).await?;
            say(&measured, run);
            match best.iter_mut().find(|best| best.rate == *rate) {
                Some(best) if percentile(&measured.visible, 0.99) < percentile(&best.visible, 0.99) => *best = measured,
                Some(_) => {}
                None => best.push(measured),
            }
        }
    }
    consumer.stop()?;
    source.disconnect().await?;
    for measured in &best {
        let (rate, reached) = (measured.rate, measured.reached);
        anyhow::ensure!(
            reached >= f64::from(rate) * HELD,
            "the machine held {reached:.0} of {rate} commits/s: that is no measurement of {rate}, and nothing is written"
        );
    }
    if arguments.quiet { Ok(()) } else { publish(&load, &best, arguments) }
}

/// The first changes make the topic and its schemas, and warm Debezium.
async fn warm_up(stack: &Stack, source: &Source<'_>) -> anyhow::Result<()> {
    let mut connection = stack.connection(source.name).await?;
    for id in 1..=2_000 {
        insert(&mut connection, id).await?;
    }
    connection.close().await?;
    source.await_records(2_000).await?;
    Ok(())
}

/// Waits until the target has every row of the source.
async fn await_rows(stack: &Stack, name: &str) -> anyhow::Result<()> {
    let (mut source, mut target) = (stack.connection(name).await?, stack.connection(TARGET).await?);
    for _ in 0..600 {
        let count = "select count(*) from variant";
        let wanted: i64 = sqlx::query_scalar(count).fetch_one(&mut source).await?;
        let found: i64 = sqlx::query_scalar(count).fetch_one(&mut target).await?;
        if found >= wanted {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("the consumer does not catch up; see bench-consumer.log")
}

async fn insert(connection: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    sqlx::query("insert into variant values ($1, 1, 1, 'SKU', 'Cà phê sữa đá', 25000, 12000, 'VAT8', null, '{}')")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

async fn measure(stack: &Stack, source: &Source<'_>, rate: u32, seconds: u32) -> anyhow::Result<Measured> {
    let times = Arc::new(Times::default());
    let done = Arc::new(AtomicBool::new(false));
    let reading = std::thread::spawn({
        let (kafka, times, done) = (source.reader_from_end()?, times.clone(), done.clone());
        move || read(&kafka, &times, &done)
    });
    let watching = tokio::spawn(watch(stack.connection(TARGET).await?, times.clone(), done.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_micros())?;
    let (began, total) = (Instant::now(), rate * seconds);
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let connection = stack.connection(source.name).await?;
        let ids = (writer..total).step_by(WRITERS as usize).map(move |n| (n, first + i64::from(n)));
        writers.push(tokio::spawn(write(connection, ids.collect(), began, rate, times.clone())));
    }
    for writer in writers {
        writer.await??;
    }
    let reached = f64::from(total) / began.elapsed().as_secs_f64();
    for _ in 0..100 {
        if times.pending().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    done.store(true, Ordering::Relaxed);
    watching.await??;
    reading.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?;
    Ok(times.with(|times| judged(times, rate, reached)))
}

fn judged(times: &BTreeMap<i64, Time>, rate: u32, reached: f64) -> Measured {
    let sorted = |seen: fn(&Time) -> Option<Instant>| {
        let since = |time: &Time| seen(time).map(|at| at.saturating_duration_since(time.committed).as_secs_f64() * 1e3);
        let mut milliseconds: Vec<f64> = times.values().filter_map(since).collect();
        milliseconds.sort_by(f64::total_cmp);
        milliseconds
    };
    let visible = sorted(|time| time.visible);
    let lost = times.len() - visible.len();
    Measured { rate, reached, lost, kafka: sorted(|time| time.in_kafka), visible, load: report::load() }
}

/// Commits one row at a time, each at its moment; what is late is not made up for by a burst of more than it owes.
async fn write(
    mut connection: PgConnection,
    ids: Vec<(u32, i64)>,
    began: Instant,
    rate: u32,
    times: Arc<Times>,
) -> anyhow::Result<()> {
    for (n, id) in ids {
        let due = began + Duration::from_secs(1) * n / rate;
        tokio::time::sleep(due.saturating_duration_since(Instant::now())).await;
        insert(&mut connection, id).await?;
        let committed = Instant::now();
        times.with(|times| times.insert(id, Time { committed, in_kafka: None, visible: None }));
    }
    connection.close().await?;
    Ok(())
}

/// The reference: Debezium to a plain consumer. An event may overtake the answer to its own commit; that counts as 0.
fn read(kafka: &BaseConsumer, times: &Times, done: &AtomicBool) {
    let mut early = BTreeMap::new();
    while !done.load(Ordering::Relaxed) {
        if let Some(Ok(message)) = kafka.poll(Duration::from_millis(20))
            && let Some(id) = message.key().and_then(id_of)
        {
            early.insert(id, Instant::now());
        }
        times.with(|times| {
            early.retain(|id, at| match times.get_mut(id) {
                Some(time) => {
                    time.in_kafka = Some(*at);
                    false
                }
                None => true,
            });
        });
    }
}

/// Looks which of the pending ids another connection sees, about once a millisecond.
async fn watch(mut connection: PgConnection, times: Arc<Times>, done: Arc<AtomicBool>) -> anyhow::Result<()> {
    while !done.load(Ordering::Relaxed) {
        let pending = times.pending();
        if !pending.is_empty() {
            let seen: Vec<i64> = sqlx::query_scalar("select id from variant where id = any($1)")
                .bind(&pending)
                .fetch_all(&mut connection)
                .await?;
            let now = Instant::now();
            times.with(|times| {
                for id in seen {
                    if let Some(time) = times.get_mut(&id) {
                        time.visible = Some(now);
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

fn say(measured: &Measured, run: u32) {
    let of = |sorted: &[f64]| format!("p50 {:.1} p99 {:.1} ms", percentile(sorted, 0.5), percentile(sorted, 0.99));
    println!(
        "{} commits/s, run {run}: reached {:.0}/s, effect {}, Debezium alone {}, {} never seen, load {}",
        measured.rate,
        measured.reached,
        of(&measured.visible),
        of(&measured.kafka),
        measured.lost,
        measured.load
    );
}

fn publish(load: &str, best: &[Measured], arguments: &Arguments) -> anyhow::Result<()> {
    let head = ["commits/s", "reached", "what", "commit -> effect, ms", "Debezium alone, ms", "ratio", "target", ""];
    let mut table = Table::new(&head);
    for measured in best {
        for (name, share, target) in
            [("p50", 0.5, Some(15.0)), ("p95", 0.95, None), ("p99", 0.99, Some(50.0)), ("max", 1.0, None)]
        {
            let (effect, kafka) = (percentile(&measured.visible, share), percentile(&measured.kafka, share));
            table.row([
                measured.rate.to_string(),
                format!("{:.0}", measured.reached),
                name.to_owned(),
                format!("{effect:.1}"),
                format!("{kafka:.1}"),
                format!("{:.2}", effect / kafka),
                target.map_or_else(String::new, |target| format!("<= {target}")),
                target.map_or_else(String::new, |target| verdict(effect <= target)),
            ]);
        }
    }
    let lost: usize = best.iter().map(|measured| measured.lost).sum();
    let loads: Vec<String> = best.iter().map(|m| format!("{} at {}/s", m.load, m.rate)).collect();
    let notes = [
        format!(
            "{} s at each rate, {} runs, the one with the lower p99 is shown; changes never seen: {lost}.",
            arguments.seconds, arguments.runs
        ),
        format!("Load average at the end of the runs shown: {}.", loads.join(", ")),
    ];
    report::publish("latency", load, &[&table], &notes)
}
