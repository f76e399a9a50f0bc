//! `sluice`: every role of the platform in one binary.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use platform::config::{EXIT_CONFIGURATION, Environment, Invalid};

mod audit;
mod completion;
mod connectors;
mod consume;
mod demo;
mod dev;
mod doctor;
mod epoch;
mod identity;
mod man;
mod migrate;
mod observe;
mod operator;
mod parked;
mod position;
mod reconcile;
mod reindex;
mod replay;
mod run;
mod schemas;
mod serve;
mod status;
mod steer;
mod tools;
mod trace;

/// The back end of a seller platform: HTTP services, the consumers that carry changes between them, and the tools
/// that look after both. Configuration comes from the environment (`APP_ENV_*`).
#[derive(Parser)]
#[command(name = "sluice", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make roles and databases, apply migrations and seeds; again does nothing.
    Migrate,
    /// The registry and the reviewed schemas of the topics.
    Schemas(schemas::Arguments),
    /// The Debezium connectors: apply, status, restart, pause, resume, snapshot, signal.
    Connectors(connectors::Arguments),
    /// Identity's first administrator.
    Identity(identity::Arguments),
    /// Write a catalogue through the public API and watch it arrive; again makes changes and watches those.
    Demo,
    /// Run every service and consumer and the observer in one process, for development.
    Dev,
    /// Run one service (or several) in this process.
    Serve(serve::Arguments),
    /// Run one consumer (or several) in this process.
    Consume(consume::Arguments),
    /// Watch connectors, slots, the registry and the fleet, and tell it as metrics.
    Observe(observe::Arguments),
    /// The whole backbone on one screen: sources, consumers, what is parked.
    Status(status::Arguments),
    /// Where a consumer stands in each of its partitions.
    Position(position::Arguments),
    /// Let partitions of a running consumer wait.
    Pause(steer::Partitions),
    /// Let them go on, and try again what is halted.
    Resume(steer::Partitions),
    /// Apply partitions again: one from an offset on, or each from the first record that it retains.
    Rewind(steer::Back),
    /// Park the record that a partition stands at, without applying it.
    Skip(steer::Place),
    /// Where one entity stands: its row, its records, what became of each, what the targets hold.
    Trace(trace::Arguments),
    /// Apply chosen changes again, beside the live group: plan (and dry run), run, list.
    Replay(replay::Arguments),
    /// Whether a consumer's target shows what the source holds; repair what does not.
    Reconcile(reconcile::Arguments),
    /// A new search collection, filled beside the one that is searched and put in its place; back again.
    Reindex(reindex::Arguments),
    /// Take what a restored source writes from now on for newer than everything before.
    Epoch(epoch::Arguments),
    /// What could not be applied: list, show, release, discard.
    Parked(parked::Arguments),
    /// What operators did: list, verify, export.
    Audit(audit::Arguments),
    /// Print a shell's completion script.
    Completion(completion::Arguments),
    /// Write man pages.
    Man(man::Arguments),
    /// Say what is missing, wrong or taken on this machine, and what to type.
    Doctor,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    platform::tls::install();
    let environment = Environment::of_process();
    let done = match arguments.command {
        Command::Migrate => run::blocking(migrate::run(&environment)),
        Command::Schemas(schemas) => run::blocking(schemas::run(&environment, &schemas)),
        Command::Connectors(connectors) => run::blocking(connectors::run(&environment, &connectors)),
        Command::Identity(identity) => run::blocking(identity::run(&environment, &identity)),
        Command::Demo => run::blocking(demo::run(&environment)),
        Command::Dev => run::blocking(dev::run(&environment)),
        Command::Serve(serve) => run::blocking(serve::run(&environment, &serve)),
        Command::Consume(consume) => run::blocking(consume::run(&environment, &consume)),
        Command::Observe(observe) => run::blocking(observe::run(&environment, &observe)),
        Command::Status(status) => run::blocking(status::run(&environment, &status)),
        Command::Position(position) => run::blocking(position::run(&environment, &position)),
        Command::Pause(chosen) => run::blocking(steer::pause(&environment, chosen)),
        Command::Resume(chosen) => run::blocking(steer::resume(&environment, chosen)),
        Command::Rewind(back) => run::blocking(steer::rewind(&environment, back)),
        Command::Skip(place) => run::blocking(steer::skip(&environment, place)),
        Command::Trace(trace) => run::blocking(trace::run(&environment, &trace)),
        Command::Replay(replay) => run::blocking(replay::run(&environment, replay)),
        Command::Reconcile(reconcile) => run::blocking(reconcile::run(&environment, &reconcile)),
        Command::Epoch(epoch) => run::blocking(epoch::run(&environment, &epoch)),
        Command::Reindex(reindex) => run::blocking(reindex::run(&environment, &reindex)),
        Command::Parked(parked) => run::blocking(parked::run(&environment, parked)),
        Command::Audit(audit) => run::blocking(audit::run(&environment, &audit)),
        Command::Completion(completion) => {
            completion::run(&completion);
            Ok(ExitCode::SUCCESS)
        }
        Command::Man(man) => man::run(&man),
        Command::Doctor => doctor::run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sluice: {error:#}");
            if operator::lacks_a_right(&error) {
                eprintln!("sluice: this login may not: docs/operate.md says under \"Who may\" what it takes");
            }
            let configuration = error.downcast_ref::<Invalid>().is_some();
            let code = if configuration { EXIT_CONFIGURATION } else { 1 };
            ExitCode::from(u8::try_from(code).unwrap_or(1))
        }
    }
}
