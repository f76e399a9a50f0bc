//! `sluice pause | resume | rewind | skip`: what a consumer does with its partitions, changed while it runs.

use std::process::ExitCode;

use platform::config::Environment;
use replay::Operation;
use replay::operation::Which;

use crate::operator::{Execution, Output, operate};

/// All of a consumer's partitions, those of a topic, or one.
#[derive(clap::Args)]
pub(crate) struct Partitions {
    /// The consumer.
    consumer: String,
    /// Only partitions of this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Only this partition.
    #[arg(long)]
    partition: Option<i32>,
    #[command(flatten)]
    execution: Execution,
    #[command(flatten)]
    output: Output,
}

/// Partitions of a consumer, and where they are applied again from.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("start").required(true).args(["offset", "first"])))]
pub(crate) struct Back {
    /// The consumer.
    consumer: String,
    /// Only partitions of this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Only this partition.
    #[arg(long, requires = "topic")]
    partition: Option<i32>,
    /// Only partitions that are halted.
    #[arg(long)]
    halted: bool,
    /// From this record of the partition on.
    #[arg(long, visible_alias = "to", requires = "partition")]
    offset: Option<i64>,
    /// From the first record on that each partition retains.
    #[arg(long)]
    first: bool,
    #[command(flatten)]
    execution: Execution,
    #[command(flatten)]
    output: Output,
}

/// One partition of a consumer, at an offset.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// The consumer.
    consumer: String,
    /// The topic.
    #[arg(long)]
    topic: String,
    /// The partition.
    #[arg(long)]
    partition: i32,
    /// The record's offset.
    #[arg(long)]
    offset: i64,
    #[command(flatten)]
    execution: Execution,
    #[command(flatten)]
    output: Output,
}

/// Lets partitions wait.
pub(crate) async fn pause(environment: &Environment, chosen: Partitions) -> anyhow::Result<ExitCode> {
    let operation = Operation::Pause(Which { topic: chosen.topic, partition: chosen.partition });
    operate(environment, &chosen.consumer, operation, &chosen.execution, chosen.output).await
}

/// Lets partitions go on.
pub(crate) async fn resume(environment: &Environment, chosen: Partitions) -> anyhow::Result<ExitCode> {
    let operation = Operation::Resume(Which { topic: chosen.topic, partition: chosen.partition });
    operate(environment, &chosen.consumer, operation, &chosen.execution, chosen.output).await
}

/// Applies partitions again.
pub(crate) async fn rewind(environment: &Environment, back: Back) -> anyhow::Result<ExitCode> {
    let Back { consumer, topic, partition, halted, offset, first: _, execution, output } = back;
    let operation = Operation::Rewind { which: Which { topic, partition }, halted, to: offset };
    operate(environment, &consumer, operation, &execution, output).await
}

/// Parks the record that a partition stands at.
pub(crate) async fn skip(environment: &Environment, place: Place) -> anyhow::Result<ExitCode> {
    let Place { consumer, topic, partition, offset, execution, output } = place;
    operate(environment, &consumer, Operation::Skip { topic, partition, offset }, &execution, output).await
}
