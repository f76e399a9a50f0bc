//! What guard, tombstones, frontier and the look-up of what is parked cost: the backlog of `drain`, by the consumer with them and
//! without, in turns.

use sqlx::Connection as _;

use crate::consumer::NAME;
use crate::drain::{CONTROL, Drained, TARGET, backlog, by_consumer, say};
use crate::report::{self, Table, verdict};
use crate::stack::Stack;
use crate::upsert;

/// Entities that are parked while the guarded consumer drains: with none a look-up is one flag.
const PARKED: &str = "
insert into parked_change (consumer, entity, topic, partition, \"offset\", record_time, record_headers, cause, detail, attempts)
select $1, $2 || '/' || i, $2, 0, -i, now(), '[]', 'refused', 'for the benchmark', 1 from generate_series(1, 1000) i";

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How often each of the two drains the backlog.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Nothing is written to RESULTS.md.
    #[arg(long)]
    quiet: bool,
}

/// Makes the backlog if it is not there, drains it in turns, reports.
pub(crate) async fn run(stack: &Stack, arguments: &Arguments) -> anyhow::Result<()> {
    let load = report::load();
    let (source, goal) = backlog(stack).await?;
    let (mut guarded, mut bare) = (Vec::new(), Vec::new());
    for turn in 1..=arguments.runs {
        // who is first meets the machine as the turn before left it
        for is_bare in [turn % 2 == 1, turn % 2 == 0] {
            stack.fresh_target(TARGET, CONTROL).await?;
            let (who, options, drained): (_, &[&str], _) = if is_bare {
                let mut connection = stack.connection(TARGET).await?;
                sqlx::raw_sql(upsert::BARE_TABLE).execute(&mut connection).await?;
                connection.close().await?;
                ("bare", &["--bare"], &mut bare)
            } else {
                let mut connection = stack.connection(CONTROL).await?;
                sqlx::query(PARKED).bind(NAME).bind(source.topic()).execute(&mut connection).await?;
                connection.close().await?;
                ("guarded", &[], &mut guarded)
            };
            let group = format!("bench-guard-{who}-{}-{turn}", std::process::id());
            let done = by_consumer(stack, &source, &goal, &group, options).await?;
            say(who, turn, &done);
            drained.push(done);
        }
    }
    if arguments.quiet { Ok(()) } else { publish(&load, &guarded, &bare) }
}

fn publish(load: &str, guarded: &[Drained], bare: &[Drained]) -> anyhow::Result<()> {
    let best = |drained: &[Drained]| drained.iter().map(Drained::per_second).fold(0.0, f64::max);
    let least = |drained: &[Drained]| drained.iter().map(Drained::cpu_us).fold(f64::INFINITY, f64::min);
    let cost = 1.0 - best(guarded) / best(bare);
    let mut targets = Table::new(&["what", "guarded", "bare", "cost", "target", ""]);
    targets.row([
        "events/s, best run of each".to_owned(),
        format!("{:.0}", best(guarded)),
        format!("{:.0}", best(bare)),
        format!("{:.1} %", cost * 100.0),
        "<= 5 %".to_owned(),
        verdict(cost <= 0.05),
    ]);
    targets.row([
        "us of the consumer's CPU per event, best run of each".to_owned(),
        format!("{:.2}", least(guarded)),
        format!("{:.2}", least(bare)),
        format!("{:.1} %", (least(guarded) / least(bare) - 1.0) * 100.0),
        String::new(),
        String::new(),
    ]);
    let mut runs = Table::new(&["run", "guarded, events/s", "bare, events/s", "load average after the second"]);
    for (turn, (guarded, bare)) in guarded.iter().zip(bare).enumerate() {
        runs.row([
            (turn + 1).to_string(),
            format!("{:.0}", guarded.per_second()),
            format!("{:.0}", bare.per_second()),
            if turn % 2 == 0 { guarded.load.clone() } else { bare.load.clone() },
        ]);
    }
    let note = "Bare: no position columns, no tombstones, no frontier, nothing parked. Guarded: all of it, and a thousand parked \
                entities that every record is looked for among. The audit is not on this path: only operators' commands write it.";
    report::publish("guard", load, &[&targets, &runs], &[note.to_owned()])
}
