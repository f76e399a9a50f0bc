//! A plan: an operation, what it rests on, and the token that carries it out, once.

use platform::clock::told;
use serde_json::Value;
use sqlx::{PgPool, Row as _};
use time::OffsetDateTime;

use crate::operation::{Operation, Refused, View, look};

/// A plan that is older is void: what was read then says little about now.
pub const VALID_MINUTES: i64 = 30;

/// A plan that may be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What carries it out.
    pub token: String,
    /// The consumer.
    pub consumer: String,
    /// What is to be done.
    pub operation: Operation,
    /// What it comes to.
    pub view: View,
}

/// Why a token carries nothing out.
#[derive(Debug, thiserror::Error)]
pub enum Spent {
    /// No plan has it.
    #[error("no plan has the token `{0}`; leave --execute out to make one")]
    Unknown(String),
    /// It was used.
    #[error("the plan was carried out before, by {by} at {}; make a new one", told(*at))]
    Used {
        /// By whom.
        by: String,
        /// When.
        at: OffsetDateTime,
    },
    /// It is too old.
    #[error("the plan is older than {VALID_MINUTES} minutes; make a new one")]
    Expired,
    /// It was made for something else.
    #[error("the token is of another plan: {0}")]
    Another(String),
    /// What it rested on is not so any more.
    #[error("the plan is void: it rested on {before}, and now it is {now}; make a new one")]
    Changed {
        /// When it was made.
        before: Value,
        /// Now.
        now: Value,
    },
    /// It cannot be done any more.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The control database does not answer.
    #[error("the control database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Makes a plan. Nothing but the plan is written.
pub async fn make(control: &PgPool, consumer: &str, operation: Operation) -> Result<Plan, Refused> {
    let view = look(control, consumer, &operation).await?;
    let token = hex::encode(rand::random::<[u8; 5]>());
    sqlx::query("insert into plan (token, consumer, verb, arguments, facts) values ($1, $2, $3, $4, $5)")
        .bind(&token)
        .bind(consumer)
        .bind(verb(&operation))
        .bind(sqlx::types::Json(&operation))
        .bind(&view.facts)
        .execute(control)
        .await?;
    Ok(Plan { token, consumer: consumer.to_owned(), operation, view })
}

/// What a plan is about: the consumer and the operation; none when there is no such token.
pub async fn find(control: &PgPool, token: &str) -> sqlx::Result<Option<(String, Operation)>> {
    let row: Option<(String, sqlx::types::Json<Operation>)> =
        sqlx::query_as("select consumer, arguments from plan where token = $1")
            .bind(token)
            .fetch_optional(control)
            .await?;
    Ok(row.map(|(consumer, operation)| (consumer, operation.0)))
}

/// Takes a plan that was made before, for carrying it out: once, and only while what it rested on is so.
pub async fn take(control: &PgPool, consumer: &str, operation: &Operation, token: &str) -> Result<Plan, Spent> {
    let mut transaction = control.begin().await?;
    let row = sqlx::query(
        "select consumer, arguments, facts, used_by, used_at, made_at < now() - make_interval(mins => $2) as expired
           from plan where token = $1 for update",
    )
    .bind(token)
    .bind(i32::try_from(VALID_MINUTES).unwrap_or(i32::MAX))
    .fetch_optional(&mut *transaction)
    .await?
    .ok_or_else(|| Spent::Unknown(token.to_owned()))?;
    if let (Some(by), Some(at)) = (row.try_get("used_by")?, row.try_get("used_at")?) {
        return Err(Spent::Used { by, at });
    }
    if row.try_get("expired")? {
        return Err(Spent::Expired);
    }
    let planned: sqlx::types::Json<Operation> = row.try_get("arguments")?;
    let planned_for: String = row.try_get("consumer")?;
    if planned.0 != *operation || planned_for != consumer {
        return Err(Spent::Another(format!("{} of {planned_for}, {}", verb(&planned.0), described(&planned.0))));
    }
    let before: Value = row.try_get("facts")?;
    let view = look(control, consumer, operation).await?;
    if view.facts != before {
        return Err(Spent::Changed { before, now: view.facts });
    }
    sqlx::query("update plan set used_by = session_user, used_at = now() where token = $1")
        .bind(token)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Plan { token: token.to_owned(), consumer: consumer.to_owned(), operation: operation.clone(), view })
}

/// A plan that was taken before and is gone on with.
pub async fn again(control: &PgPool, consumer: &str, operation: Operation, token: &str) -> Result<Plan, Refused> {
    let view = look(control, consumer, &operation).await?;
    Ok(Plan { token: token.to_owned(), consumer: consumer.to_owned(), operation, view })
}

/// The operation's one name.
#[must_use]
pub fn verb(operation: &Operation) -> &'static str {
    match operation {
        Operation::Pause(_) => "pause",
        Operation::Resume(_) => "resume",
        Operation::Rewind { .. } => "rewind",
        Operation::Skip { .. } => "skip",
        Operation::Release(_) => "release",
        Operation::Discard(_) => "discard",
        Operation::Replay { .. } => "replay",
        Operation::Repair { .. } => "repair",
        Operation::Reindex { .. } => "reindex",
        Operation::Epoch { .. } => "epoch",
    }
}

fn described(operation: &Operation) -> String {
    match operation {
        Operation::Repair { again, gone } => {
            format!("{} entities to be applied again and {} to be deleted, others than now", again.len(), gone.len())
        }
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
