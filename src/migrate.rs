//! `sluice migrate`.

use std::process::ExitCode;

use platform::config::Environment;

/// Makes what is missing and says what it did.
pub(crate) async fn run(environment: &Environment) -> anyhow::Result<ExitCode> {
    let report = migrations::run(environment).await?;
    print!("{report}");
    Ok(ExitCode::SUCCESS)
}
