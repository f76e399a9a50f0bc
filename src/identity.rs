//! `sluice identity bootstrap`.

use std::process::ExitCode;

use ::identity::Bootstrapped;
use clap::Subcommand;
use platform::config::Environment;

/// The identity service's first steps.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make the first administrator from `APP_ENV_BOOTSTRAP_EMAIL` and `APP_ENV_BOOTSTRAP_PASSWORD`; again does nothing.
    Bootstrap,
}

/// Does it and says what was done.
pub(crate) async fn run(environment: &Environment, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match arguments.verb {
        Verb::Bootstrap => match ::identity::bootstrap(environment).await? {
            Bootstrapped::Created { email, .. } => println!("administrator {email} created"),
            Bootstrapped::Present => println!("there is an administrator already; nothing was changed"),
        },
    }
    Ok(ExitCode::SUCCESS)
}
