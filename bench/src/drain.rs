//! A backlog of 600,000 changes: our consumer and the tuned JDBC sink drain the same topic, in turns.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use sqlx::{Connection as _, PgConnection};

use crate::compare;
use crate::connect::Connect;
use crate::process::{self, Running};
use crate::report::{self, Table, verdict};
use crate::source::{Source, configuration};
use crate::stack::Stack;

/// How many rows the source has; each is inserted, then updated once.
const ROWS: i64 = 300_000;
const EVENTS: i64 = 2 * ROWS;

const INSERT: &str = "insert into variant
    select 900000000000000000 + g * 4096, 800000000000000000 + g / 3, 1 + g % 50, 'SKU-' || g, 'Cà phê sữa đá ' || g,
           25000 + g, 12000, 'VAT8', null, '{\"size\": \"L\"}'
      from generate_series(1, 300000) g";
const UPDATE: &str = "update variant set price = price + 1";

/// The databases of the targets and of the consumer's control data.
pub(crate) const TARGET: &str = "bench_target";
pub(crate) const CONTROL: &str = "bench_control";
const SINK: &str = "bench_sink";
/// How long one drain may take.
const DEADLINE: Duration = Duration::from_mins(5);

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each of the two drains the backlog.
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// Only ours, for work on it; nothing is written to RESULTS.md.
    #[arg(long)]
    only_ours: bool,
}

/// One drain.
pub(crate) struct Drained {
    seconds: f64,
    cpu_seconds: f64,
    peak_mb: f64,
    nice: i32,
    pub(crate) load: String,
}

impl Drained {
    #[expect(clippy::cast_precision_loss, reason = "600,000")]
    pub(crate) fn per_second(&self) -> f64 {
        EVENTS as f64 / self.seconds
    }

    #[expect(clippy::cast_precision_loss, reason = "600,000")]
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu_seconds * 1e6 / EVENTS as f64
    }
}

/// What says that a drain is done.
pub(crate) struct Goal {
    ids: Vec<i64>,
    prices: Vec<i64>,
    whole: String,
}

/// Makes the backlog if it is not there, drains it in turns, compares, reports.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let load = report::load();
    let (source, goal) = backlog(stack).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 1..=arguments.runs {
        if !arguments.only_ours {
            let drained = by_sink(stack, &source, &goal, turn).await?;
            say("jdbc sink", turn, &drained);
            theirs.push(drained);
        }
        stack.fresh_target(TARGET, CONTROL).await?;
        let group = format!("bench-drain-{}-{turn}", std::process::id());
        let drained = by_consumer(stack, &source, &goal, &group, &[]).await?;
        say("sluice", turn, &drained);
        ours.push(drained);
    }
    if arguments.only_ours {
        return Ok(());
    }
    publish(&load, &ours, &theirs)
}

pub(crate) fn say(who: &str, turn: u32, drained: &Drained) {
    println!(
        "{who:>10} {turn}: {:.1} s, {:.0} events/s, {:.1} us CPU/event, peak {:.0} MB, load {}",
        drained.seconds,
        drained.per_second(),
        drained.cpu_us(),
        drained.peak_mb,
        drained.load
    );
}

/// The backlog, and what a target of it holds in the end.
pub(crate) async fn backlog(stack: &Stack) -> anyhow::Result<(Source<'_>, Goal)> {
    let source = Source::new(stack, "bench_drain")?;
    fill(&source).await?;
    let goal = goal(stack, &source).await?;
    Ok((source, goal))
}

/// The backlog, made once: what is there and whole is kept.
async fn fill(source: &Source<'_>) -> anyhow::Result<()> {
    if source.records()? == EVENTS {
        println!("the backlog of {EVENTS} events is there");
        return source.disconnect().await;
    }
    source.remake().await?;
    source.connect().await?;
    for (name, statement, wanted) in [("inserts", INSERT, ROWS), ("updates", UPDATE, EVENTS)] {
        let began = Instant::now();
        source.execute(statement).await?;
        source.await_records(wanted).await?;
        #[expect(clippy::cast_precision_loss, reason = "300,000")]
        let rate = ROWS as f64 / began.elapsed().as_secs_f64();
        println!("Debezium wrote {ROWS} {name}: {rate:.0} events/s");
    }
    source.disconnect().await
}

async fn goal(stack: &Stack, source: &Source<'_>) -> anyhow::Result<Goal> {
    let mut connection = stack.connection(source.name).await?;
    let ids = source.last_ids()?;
    let prices = sqlx::query_scalar(
        "select v.price from unnest($1::bigint[]) with ordinality i (id, n) join variant v using (id) order by n",
    )
    .bind(&ids)
    .fetch_all(&mut connection)
    .await?;
    let whole = whole(&mut connection).await?;
    connection.close().await?;
    Ok(Goal { ids, prices, whole })
}

async fn whole(connection: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar("select count(*) || '|' || coalesce(sum(price), 0) from variant").fetch_one(connection).await
}

/// Waits until the target holds what the source holds. Looking costs nothing until the last record of every partition
/// has arrived: only then are all rows counted.
async fn await_goal(stack: &Stack, target: &str, goal: &Goal, pid: u32) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut connection = stack.connection(target).await?;
    loop {
        if began.elapsed() > DEADLINE {
            bail!("{target} is not done after {DEADLINE:?}; see the logs of the stack");
        }
        // a process that died is not waited for
        process::cpu(pid)?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let arrived: sqlx::Result<i64> = sqlx::query_scalar(
            "select count(*) from unnest($1::bigint[], $2::bigint[]) g (id, price) join variant v using (id, price)",
        )
        .bind(&goal.ids)
        .bind(&goal.prices)
        .fetch_one(&mut connection)
        .await;
        // the sink makes its table itself, after a while
        if arrived.is_ok_and(|arrived| usize::try_from(arrived) == Ok(goal.ids.len()))
            && whole(&mut connection).await? == goal.whole
        {
            connection.close().await?;
            return Ok(());
        }
    }
}

/// Drains into [`TARGET`], which is there, as a group that never was.
pub(crate) async fn by_consumer(
    stack: &Stack,
    source: &Source<'_>,
    goal: &Goal,
    group: &str,
    options: &[&str],
) -> anyhow::Result<Drained> {
    stack.checkpoint().await?;
    let began = Instant::now();
    let mut consumer = Running::consumer_with(options, &source.topic(), group, TARGET, CONTROL)?;
    await_goal(stack, TARGET, goal, consumer.pid()).await?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = process::cpu(consumer.pid())?.as_secs_f64();
    let peak_mb = process::megabytes(consumer.pid(), "status", "VmHWM")?;
    let nice = process::niceness(consumer.pid())?;
    let drained = Drained { seconds, cpu_seconds, peak_mb, nice, load: report::load() };
    consumer.stop()?;
    let rows = compare::same(stack, source.name, TARGET).await?;
    anyhow::ensure!(i64::try_from(rows)? == ROWS, "{TARGET} holds {rows} rows");
    Ok(drained)
}

async fn by_sink(stack: &Stack, source: &Source<'_>, goal: &Goal, turn: u32) -> anyhow::Result<Drained> {
    let connect = Connect::at(stack.get("BENCH_SINK_URL")?);
    let pid: u32 = stack.get("BENCH_SINK_PID")?.parse().context("BENCH_SINK_PID is no pid")?;
    // a name is a group, and a new group begins at the beginning
    let name = format!("bench-sink-{}-{turn}", std::process::id());
    stack.fresh_database(SINK).await?;
    stack.checkpoint().await?;
    let config = configuration(stack, include_str!("../sink.json"), &[("TOPIC", &source.topic()), ("TARGET", SINK)])?;
    process::set_niceness(pid, process::niceness(std::process::id())?)?;
    process::forget_peak(pid);
    let before = process::cpu(pid)?;
    let began = Instant::now();
    connect.apply(&name, &config).await?;
    await_goal(stack, SINK, goal, pid).await?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = process::cpu(pid)?.saturating_sub(before).as_secs_f64();
    let peak_mb = process::megabytes(pid, "status", "VmHWM")?;
    let nice = process::niceness(pid)?;
    let drained = Drained { seconds, cpu_seconds, peak_mb, nice, load: report::load() };
    connect.delete(&name).await?;
    let rows = compare::same(stack, source.name, SINK).await?;
    anyhow::ensure!(i64::try_from(rows)? == ROWS, "{SINK} holds {rows} rows");
    Ok(drained)
}

fn publish(load: &str, ours: &[Drained], theirs: &[Drained]) -> anyhow::Result<()> {
    let mut runs =
        Table::new(&["run", "who", "seconds", "events/s", "us CPU/event", "peak MB", "nice", "load average"]);
    for (turn, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        for (who, drained) in [("JDBC sink", theirs), ("sluice", ours)] {
            runs.row([
                (turn + 1).to_string(),
                who.to_owned(),
                format!("{:.1}", drained.seconds),
                format!("{:.0}", drained.per_second()),
                format!("{:.1}", drained.cpu_us()),
                format!("{:.0}", drained.peak_mb),
                drained.nice.to_string(),
                drained.load.clone(),
            ]);
        }
    }
    let best = |drained: &[Drained]| drained.iter().map(Drained::per_second).fold(0.0, f64::max);
    let least = |drained: &[Drained]| drained.iter().map(Drained::cpu_us).fold(f64::INFINITY, f64::min);
    let peak = ours.iter().map(|drained| drained.peak_mb).fold(0.0, f64::max);
    let (rate, cpu) = (best(ours) / best(theirs), least(ours) / least(theirs));
    let mut targets = Table::new(&["what", "sluice", "JDBC sink", "ratio", "target", ""]);
    targets.row([
        "events/s, best run of each".to_owned(),
        format!("{:.0}", best(ours)),
        format!("{:.0}", best(theirs)),
        format!("{rate:.2}"),
        ">= 2".to_owned(),
        verdict(rate >= 2.0),
    ]);
    targets.row([
        "us of CPU per event, best run of each".to_owned(),
        format!("{:.1}", least(ours)),
        format!("{:.1}", least(theirs)),
        format!("{cpu:.3}"),
        "<= 0.2".to_owned(),
        verdict(cpu <= 0.2),
    ]);
    targets.row([
        "resident peak, worst run, MB".to_owned(),
        format!("{peak:.0}"),
        format!("{:.0}", theirs.iter().map(|drained| drained.peak_mb).fold(0.0, f64::max)),
        String::new(),
        "<= 60".to_owned(),
        verdict(peak <= 60.0),
    ]);
    let note = format!("Final state: {ROWS} rows, all 13 columns equal to the source's after every run of both.");
    report::publish("drain", load, &[&targets, &runs], &[note])
}
