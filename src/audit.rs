//! `sluice audit`: what operators did, and whether the record of it was altered.

use std::process::ExitCode;

use clap::Subcommand;
use platform::clock::told;
use platform::config::Environment;
use replay::audit::{Broken, Verified, described, export, list, verify};

use crate::operator::{NEEDS_A_LOOK, Output, chain, control};

/// The chained record of what operators did.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// The newest entries.
    List {
        /// Of this consumer only.
        consumer: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        at_most: i64,
        #[command(flatten)]
        output: Output,
    },
    /// Read the whole chain and compare it with its head outside the database. Exit code 3 when it was altered.
    Verify {
        #[command(flatten)]
        output: Output,
    },
    /// Every entry, one JSON object a line.
    Export,
}

/// Runs one verb.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let control = control(environment)?;
    match &arguments.verb {
        Verb::List { consumer, at_most, output } => {
            let entries = list(&control, consumer.as_deref(), *at_most).await?;
            if output.json {
                println!("{}", entries.iter().map(described).collect::<serde_json::Value>());
                return Ok(ExitCode::SUCCESS);
            }
            for entry in entries {
                let ticket = entry.ticket.as_ref().map_or_else(String::new, |ticket| format!(" [{ticket}]"));
                let (at, what) = (told(entry.at), format!("{} {} {}", entry.phase, entry.action, entry.subject));
                println!(
                    "{:>6} {at} {} {what}: {}{ticket}\n       {}",
                    entry.id, entry.operator, entry.reason, entry.detail
                );
            }
        }
        Verb::Export => {
            for entry in export(&control).await? {
                println!("{entry}");
            }
        }
        Verb::Verify { output } => {
            let (key, heads) = chain(environment)?;
            return match verify(&control, &key, &heads).await {
                Ok(Verified { entries }) => {
                    let said = format!("{entries} entries, as they were written");
                    println!(
                        "{}",
                        if output.json { serde_json::json!({ "entries": entries }).to_string() } else { said }
                    );
                    Ok(ExitCode::SUCCESS)
                }
                Err(broken @ (Broken::Database(_) | Broken::Heads(_))) => Err(broken.into()),
                Err(broken) => {
                    let said = serde_json::json!({ "broken": broken.to_string() });
                    println!("{}", if output.json { said.to_string() } else { broken.to_string() });
                    Ok(ExitCode::from(NEEDS_A_LOOK))
                }
            };
        }
    }
    Ok(ExitCode::SUCCESS)
}
