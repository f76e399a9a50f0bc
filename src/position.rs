//! `sluice position <consumer>`: where a consumer stands in each of its partitions.

use std::process::ExitCode;

use platform::config::{Environment, Reader};
use replay::fleet::consumers;
use replay::position::{Position, positions};
use runtime::Settings;

use crate::operator::{NEEDS_A_LOOK, Output, control, time_of};

/// Committed, position, end and first retained, with their times, and who owns each partition.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The consumer.
    consumer: String,
    #[command(flatten)]
    output: Output,
}

/// Asks the brokers and the workers.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (control, consumer) = (control(environment)?, &arguments.consumer);
    let known = consumers(&control).await?;
    anyhow::ensure!(known.contains(consumer), "no consumer is named `{consumer}`; there are {}", known.join(", "));
    let own = environment.scoped(consumer);
    let mut reader = Reader::new(&own);
    let settings = Settings::read(consumer, &mut reader);
    let (settings, _) = reader.finish(settings)?;
    let positions = positions(&control, consumer, settings.client()).await?;
    let is_healthy = positions.iter().all(is_healthy);
    if arguments.output.json {
        println!("{}", serde_json::to_string(&positions)?);
    } else {
        print(&positions);
    }
    Ok(if is_healthy { ExitCode::SUCCESS } else { ExitCode::from(NEEDS_A_LOOK) })
}

fn is_healthy(position: &Position) -> bool {
    let works = |owned: &replay::Owned| !matches!(owned.standing.state.as_str(), "halted" | "retrying");
    position.owner.as_ref().is_some_and(works)
        && position.committed.is_some_and(|committed| committed >= position.first && committed <= position.end)
}

fn print(positions: &[Position]) {
    println!(
        "{:<36} {:>10} {:>10} {:>10} {:>10} {:>8}  {:<20}  {:<20}  owner",
        "partition", "first", "committed", "position", "end", "lag", "first written", "committed written"
    );
    for at in positions {
        let shown = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
        let position = at.owner.as_ref().map(|owned| owned.standing.next_offset).filter(|next| *next >= 0);
        let owner = at.owner.as_ref().map_or_else(
            || "nobody".to_owned(),
            |owned| {
                let why = owned.standing.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
                format!("{} on {}, {}{why}", owned.worker, owned.host, owned.standing.state)
            },
        );
        println!(
            "{:<36} {:>10} {:>10} {:>10} {:>10} {:>8}  {:<20}  {:<20}  {owner}",
            format!("{}[{}]", at.topic, at.partition),
            at.first,
            shown(at.committed),
            shown(position),
            at.end,
            shown(at.lag),
            time_of(at.first_ms),
            time_of(at.committed_ms),
        );
    }
}
