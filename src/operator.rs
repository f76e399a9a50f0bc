//! What every command of an operator stands on: the control database as themselves, the audit, plan and token.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use platform::clock::told;
use platform::config::{Environment, Reader};
use platform::postgres::PoolSettings;
use platform::sealing::Key;
use replay::audit::Heads;
use replay::{Audit, Done, Operation, Plan, execute, plan};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sqlx::PgPool;
use url::Url;

/// Something needs a look: neither success nor an error of the command itself.
pub(crate) const NEEDS_A_LOOK: u8 = 3;
/// A plan is void, or an owner refused or did not answer.
pub(crate) const NOT_DONE: u8 = 4;

/// How an operator has answers printed.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Output {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whether to plan or to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Execution {
    /// Carry out the plan that has this token. Without it, a plan is made and nothing is done.
    #[arg(long, value_name = "TOKEN", requires = "reason")]
    execute: Option<String>,
    /// Why, for the audit.
    #[arg(long)]
    reason: Option<String>,
    /// The ticket that it belongs to, for the audit.
    #[arg(long, requires = "reason")]
    ticket: Option<String>,
}

impl Execution {
    /// The plan's token; none when there is to be a plan only.
    pub(crate) fn token(&self) -> Option<&str> {
        self.execute.as_deref()
    }

    /// Why.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The ticket.
    pub(crate) fn ticket(&self) -> Option<&str> {
        self.ticket.as_deref()
    }
}

/// The control database, as the operator: `APP_ENV_OPERATOR_DB_URL`, else the fleet's own URL.
pub(crate) fn control(environment: &Environment) -> anyhow::Result<PgPool> {
    let mut reader = Reader::new(environment);
    let own = reader.optional::<SecretString>("APP_ENV_OPERATOR_DB_URL", "the control database, as you");
    let fleet = reader.optional::<SecretString>("BACKBONE__APP_ENV_DB_URL", "the control database");
    if let (Some(None), Some(None)) = (&own, &fleet) {
        reader.fault("missing APP_ENV_OPERATOR_DB_URL (or BACKBONE__APP_ENV_DB_URL): the control database");
    }
    let url = own.zip(fleet).and_then(|(own, fleet)| own.or(fleet));
    let (url, _) = reader.finish(url)?;
    let settings = PoolSettings::named("sluice operator").max_connections(2);
    let settings = settings.statement_timeout(Duration::from_secs(30));
    Ok(platform::postgres::connect(url.expose_secret(), &settings)?)
}

/// The key and the heads of the audit.
pub(crate) fn chain(environment: &Environment) -> anyhow::Result<(Key, Heads)> {
    let mut reader = Reader::new(environment);
    let key = reader.key("APP_ENV_AUDIT_KEY", "chains the audit");
    let heads = reader.required::<Url>("APP_ENV_AUDIT_HEADS_URL", "object storage for the audit's heads");
    let ((key, heads), _) = reader.finish(key.zip(heads))?;
    Ok((key, Heads::open(&heads)?))
}

/// The audit, for writing.
pub(crate) fn audit(environment: &Environment, control: &PgPool) -> anyhow::Result<Audit> {
    let (key, heads) = chain(environment)?;
    Ok(Audit::new(control.clone(), key, heads))
}

/// Plans an operation that its partitions' owners carry out, or has them carry out the plan that was made for it.
pub(crate) async fn operate(
    environment: &Environment,
    consumer: &str,
    operation: Operation,
    execution: &Execution,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let control = control(environment)?;
    let work = async |audit: &Audit, plan: &Plan, reason: &str| {
        let done = execute(&control, audit, plan, reason, execution.ticket()).await;
        done.with_context(|| consumer.to_owned())
    };
    plan_or_do(environment, consumer, operation, execution, output, work).await
}

/// Plans an operation, or takes the plan that was made for it and does its work, which writes the audit.
pub(crate) async fn plan_or_do(
    environment: &Environment,
    consumer: &str,
    operation: Operation,
    execution: &Execution,
    output: Output,
    work: impl AsyncFnOnce(&Audit, &Plan, &str) -> anyhow::Result<Done>,
) -> anyhow::Result<ExitCode> {
    let control = control(environment)?;
    let (Some(token), Some(reason)) = (&execution.execute, &execution.reason) else {
        let plan = plan::make(&control, consumer, operation).await?;
        if output.json {
            println!("{}", json!({ "token": plan.token, "summary": plan.view.summary, "facts": plan.view.facts }));
        } else {
            println!("{}", plan.view.summary.join("\n"));
            println!(
                "\nNothing is done yet. The same command with this does it:\n  --execute {} --reason '...'",
                plan.token
            );
        }
        return Ok(ExitCode::SUCCESS);
    };
    let audit = audit(environment, &control)?;
    let plan = match plan::take(&control, consumer, &operation, token).await {
        Ok(plan) => plan,
        Err(spent @ (replay::Spent::Database(_) | replay::Spent::Refused(_))) => return Err(spent.into()),
        Err(spent) => {
            eprintln!("sluice: {spent}");
            return Ok(ExitCode::from(NOT_DONE));
        }
    };
    let done = work(&audit, &plan, reason).await?;
    if output.json {
        println!("{}", json!({ "outcomes": done.outcomes, "complete": done.complete }));
    } else {
        println!("{}", done.outcomes.join("\n"));
    }
    Ok(if done.complete { ExitCode::SUCCESS } else { ExitCode::from(NOT_DONE) })
}

/// True when a database refused it for want of a right (SQLSTATE 42501).
pub(crate) fn lacks_a_right(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<sqlx::Error>())
        .any(|error| error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42501")))
}

/// Milliseconds since 1970 as a time a person reads.
pub(crate) fn time_of(ms: Option<i64>) -> String {
    let known = ms.and_then(|ms| time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok());
    known.map_or_else(|| "-".to_owned(), told)
}
