//! Carrying a plan out, between two entries of the audit.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{PgExecutor, PgPool};

use crate::audit::{Audit, Note, Phase};
use crate::discard::discard;
use crate::operation::{Command, Operation};
use crate::plan::{self, Plan};

/// How long the owners may take before the operator is answered; what they do later is in `command`.
pub const PATIENCE: Duration = Duration::from_mins(1);
const ASK_EVERY: Duration = Duration::from_millis(100);

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// An outcome for each partition, or one sentence.
    pub outcomes: Vec<String>,
    /// False when an owner refused or did not answer.
    pub complete: bool,
}

/// Why a plan could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The audit could not be written first: nothing was done.
    #[error("nothing was done: {0}")]
    Audit(#[source] crate::audit::AppendError),
    /// The audit could not be written afterwards.
    #[error("it was done, and its outcome could not be written: {0}")]
    AuditAfter(#[source] crate::audit::AppendError),
    /// The control database does not answer.
    #[error("the control database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Carries a plan out that was taken with [`plan::take`].
pub async fn execute(
    control: &PgPool,
    audit: &Audit,
    plan: &Plan,
    reason: &str,
    ticket: Option<&str>,
) -> Result<Done, ExecuteError> {
    let work = async {
        match &plan.operation {
            Operation::Discard(_) => give_up(control, plan, reason).await,
            _ => command(control, plan, reason).await,
        }
    };
    Ok(audited(audit, plan, reason, ticket, work).await??)
}

/// Does the work of a plan between two entries of the audit. Nothing is done when the first cannot be written.
pub async fn audited<E: std::fmt::Display>(
    audit: &Audit,
    plan: &Plan,
    reason: &str,
    ticket: Option<&str>,
    work: impl Future<Output = Result<Done, E>>,
) -> Result<Result<Done, E>, ExecuteError> {
    let note = |phase, detail| Note {
        action: plan::verb(&plan.operation),
        phase,
        subject: &plan.consumer,
        detail,
        reason,
        ticket,
    };
    let before = json!({ "token": plan.token, "operation": plan.operation, "facts": plan.view.facts });
    audit.append(note(Phase::Before, &before)).await.map_err(ExecuteError::Audit)?;
    let done = work.await;
    let after = match &done {
        Ok(done) => json!({ "token": plan.token, "outcomes": done.outcomes, "complete": done.complete }),
        Err(error) => json!({ "token": plan.token, "error": error.to_string() }),
    };
    audit.append(note(Phase::After, &after)).await.map_err(ExecuteError::AuditAfter)?;
    Ok(done)
}

async fn give_up(control: &PgPool, plan: &Plan, reason: &str) -> sqlx::Result<Done> {
    let ids: Vec<i64> = plan.view.facts.as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    let moved = discard(control, &plan.consumer, &ids, reason).await?;
    Ok(Done { outcomes: vec![format!("discarded {moved}")], complete: moved == ids.len() as u64 })
}

/// Gives each owner its command and waits for the outcomes.
async fn command(control: &PgPool, plan: &Plan, reason: &str) -> sqlx::Result<Done> {
    let mut waiting = Vec::new();
    for command in &plan.view.commands {
        waiting.push((command, issue(control, &plan.consumer, command, reason).await?));
    }
    let (began, mut outcomes, mut complete) = (Instant::now(), Vec::new(), true);
    for (command, id) in waiting {
        let at = format!("{}[{}]", command.topic, command.partition);
        let outcome = loop {
            if let Some(outcome) = outcome(control, id).await? {
                break outcome;
            }
            if began.elapsed() > PATIENCE {
                complete = false;
                break format!("not carried out yet; command {id} stays open for the partition's owner");
            }
            tokio::time::sleep(ASK_EVERY).await;
        };
        complete &= !outcome.starts_with("refused");
        outcomes.push(format!("{at}: {outcome}"));
    }
    Ok(Done { outcomes, complete })
}

async fn issue(executor: impl PgExecutor<'_>, consumer: &str, command: &Command, reason: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "insert into command (consumer, topic, partition, verb, arguments, reason)
         values ($1, $2, $3, $4, $5, $6) returning id",
    )
    .bind(consumer)
    .bind(&command.topic)
    .bind(command.partition)
    .bind(command.verb)
    .bind(&command.arguments)
    .bind(reason)
    .fetch_one(executor)
    .await
}

async fn outcome(executor: impl PgExecutor<'_>, id: i64) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select outcome from command where id = $1").bind(id).fetch_one(executor).await
}
