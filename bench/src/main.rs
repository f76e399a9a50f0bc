//! The measured claims: each one command, each against a reference that ran in the same minutes on the same machine.
#![doc = include_str!("../README.md")]

mod catalogue;
mod compare;
mod connect;
mod consumer;
mod documents;
mod drain;
mod engine;
mod guard;
mod idle;
mod latency;
mod load;
mod operate;
mod pgbench;
mod process;
mod report;
mod row;
mod search;
mod sluice;
mod source;
mod stack;
mod upsert;
mod write;

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
    /// The same backlog with guard, frontier and parked entities, against the consumer without them.
    Guard(guard::Arguments),
    /// From commit to effect, against Debezium itself.
    Latency(latency::Arguments),
    /// Products through the API, against pgbench with the same statements.
    Write(write::Arguments),
    /// A backlog into the search engine, against the engine's own import.
    Search(search::Arguments),
    /// What an operator's questions and replays take, among a million records.
    Operate(operate::Arguments),
    /// What a million documents take to be made anew and to be compared.
    Documents(documents::Arguments),
    /// What processes cost that have nothing to do.
    Idle(idle::Arguments),
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
            Verb::Guard(arguments) => guard::run(&stack, &arguments).await,
            Verb::Latency(arguments) => latency::run(&stack, &arguments).await,
            Verb::Write(arguments) => write::run(&stack, &arguments).await,
            Verb::Search(arguments) => search::run(&stack, &arguments).await,
            Verb::Operate(arguments) => operate::run(&stack, &arguments).await,
            Verb::Documents(arguments) => documents::run(&stack, &arguments).await,
            Verb::Idle(arguments) => idle::run(&stack, &arguments).await,
            Verb::Consume(arguments) => consumer::run(&stack, &arguments).await,
        }
    })
}
