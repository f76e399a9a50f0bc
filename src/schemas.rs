//! `sluice schemas`: the reviewed files and the registry.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use platform::config::{Environment, Reader};
use platform::service::SERVICES;
use schemas::accept::accept;
use schemas::ccompat::Ccompat;
use schemas::files::{Topic, load};
use schemas::{check, diff, drift, push};

/// The schemas of the topics: reviewed files, and the registry that must agree with them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder of the topics.
    #[arg(long, default_value = "schemas", global = true)]
    folder: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Set the compatibility rule and register every released version. Again does nothing.
    Push,
    /// Say whom the files break, and where the registry is not what the files say.
    Check {
        /// Only the files, against their own released versions.
        #[arg(long)]
        offline: bool,
    },
    /// List what the registry holds beyond the files. Exit code 3 when there is any.
    Drift,
    /// Show differences column by column: the files and the registry, or the files' own history.
    Diff {
        /// What each released version changed.
        #[arg(long)]
        history: bool,
    },
    /// Write what Debezium registered into the files, for review.
    Accept {
        /// The newest version was never run by anybody else: replace it.
        #[arg(long)]
        amend: bool,
    },
}

/// Something needs a look: neither success nor an error of the command itself.
const NEEDS_A_LOOK: u8 = 3;

/// Runs one verb.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut topics = load(&arguments.folder)?;
    match &arguments.verb {
        Verb::Check { offline: true } => Ok(judged(&check::offline(&topics))),
        Verb::Diff { history: true } => Ok(listed(&diff::history(&topics), "one version each, so far")),
        verb => against_registry(verb, &registry(environment)?, &mut topics).await,
    }
}

async fn against_registry(verb: &Verb, registry: &Ccompat, topics: &mut [Topic]) -> anyhow::Result<ExitCode> {
    Ok(match verb {
        Verb::Push => said(&push::push(registry, topics).await?),
        Verb::Check { .. } => judged(&check::online(registry, topics).await?),
        Verb::Diff { .. } => {
            listed(&diff::with_registry(registry, topics).await?, "the registry's newest versions are the files")
        }
        Verb::Accept { amend } => {
            let accepted = accept(registry, topics, *amend).await?;
            println!("{accepted}");
            look_when(!accepted.refused.is_empty())
        }
        Verb::Drift => {
            let found = drift::drift(registry, topics, is_ours).await?;
            listed(&found, "the registry holds nothing beyond the files");
            look_when(!found.is_empty())
        }
    })
}

/// A registry may serve others too: only subjects of topics with a service's prefix can drift.
pub(crate) fn is_ours(subject: &str) -> bool {
    SERVICES.iter().any(|service| subject.strip_prefix(service.topic_prefix).is_some_and(|rest| rest.starts_with('.')))
}

fn registry(environment: &Environment) -> anyhow::Result<Ccompat> {
    let mut reader = Reader::new(environment);
    let address = reader.required::<String>("APP_ENV_SCHEMA_REGISTRY_URL", "the schema registry, its Confluent API");
    let (address, _) = reader.finish(address)?;
    Ok(Ccompat::new(&address, reqwest::Client::builder().timeout(std::time::Duration::from_secs(30)).build()?))
}

fn said(report: &impl Display) -> ExitCode {
    println!("{report}");
    ExitCode::SUCCESS
}

fn judged(checked: &check::Checked) -> ExitCode {
    println!("{checked}");
    look_when(!checked.is_clean())
}

fn listed<T: Display>(lines: &[T], nothing: &str) -> ExitCode {
    if lines.is_empty() {
        println!("{nothing}");
    }
    for line in lines {
        println!("{line}");
    }
    ExitCode::SUCCESS
}

fn look_when(needed: bool) -> ExitCode {
    if needed { ExitCode::from(NEEDS_A_LOOK) } else { ExitCode::SUCCESS }
}
