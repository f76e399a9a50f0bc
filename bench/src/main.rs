//! The measured claims: each one command, each against a reference that ran in the same minutes on the same machine.
#![doc = include_str!("../README.md")]

mod compare;
mod connect;
mod consumer;
mod drain;
mod idle;
mod latency;
mod process;
mod report;
mod row;
mod source;
mod stack;
mod upsert;

use clap::{Parser, Subcommand};

/// Started by `bench/run`, which brings up the servers first.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// A backlog of 600,000 changes, against the tuned Debezium JDBC sink.
    Drain(drain::Arguments),
    /// From commit to effect, against Debezium itself.
    Latency(latency::Arguments),
    /// What a consumer costs that has nothing to do.
    Idle,
    /// The consumer that is measured, in a process of its own.
    Consume(consumer::Arguments),
}

fn main() -> anyhow::Result<()> {
    // the same runtime that `sluice consume` has
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(16).enable_all().build()?;
    runtime.block_on(async {
        platform::tls::install();
        let stack = stack::Stack::of_process()?;
        match Arguments::parse().verb {
            Verb::Drain(arguments) => drain::run(&stack, &arguments).await,
            Verb::Latency(arguments) => latency::run(&stack, &arguments).await,
            Verb::Idle => idle::run(&stack).await,
            Verb::Consume(arguments) => consumer::run(&stack, &arguments).await,
        }
    })
}
