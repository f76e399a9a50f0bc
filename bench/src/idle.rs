//! What a consumer costs that has nothing to do.

use std::time::{Duration, Instant};

use crate::process::{self, Consumer};
use crate::report::{self, Table, verdict};
use crate::source::Source;
use crate::stack::Stack;

/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(30);
const TARGET: &str = "bench_target";
const CONTROL: &str = "bench_control";

/// Starts a consumer on a topic of six partitions whose end it stands at, and watches it.
pub(crate) async fn run(stack: &Stack) -> anyhow::Result<()> {
    let load = report::load();
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
    let mut consumer = Consumer::start(&source.topic(), &group, TARGET, CONTROL)?;
    // time to catch up, and to come to rest
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (before, began) = (process::cpu(consumer.pid())?, Instant::now());
    tokio::time::sleep(WATCHED).await;
    let share =
        process::cpu(consumer.pid())?.saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    let resident = process::megabytes(consumer.pid(), "status", "VmRSS")?;
    let proportional = process::megabytes(consumer.pid(), "smaps_rollup", "Pss")?;
    consumer.stop()?;
    let mut table = Table::new(&["what", "figure", "target", ""]);
    table.row(["resident (RSS), MB".to_owned(), format!("{resident:.1}"), "< 60".to_owned(), verdict(resident < 60.0)]);
    table.row([
        "proportional (PSS), MB".to_owned(),
        format!("{proportional:.1}"),
        "< 60".to_owned(),
        verdict(proportional < 60.0),
    ]);
    table.row(["CPU, % of a core".to_owned(), format!("{share:.2}"), "< 3".to_owned(), verdict(share < 3.0)]);
    let note = format!("Six partitions, caught up, watched for {} s.", WATCHED.as_secs());
    report::publish("idle", &load, &[&table], &[note])
}
