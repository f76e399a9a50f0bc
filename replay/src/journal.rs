//! How far a replay is: kept in `backbone`, so that one that was killed is resumed, and not run twice at once.

use serde::Serialize;
use sqlx::types::Json;
use sqlx::{Connection as _, PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;

use crate::brake::Brake;
use crate::range::Range;
use crate::rerun::{Reached, Report, Rerun, RerunError};

/// A replay that was begun.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
pub struct Begun {
    /// The plan's token.
    pub token: String,
    /// Whose changes.
    pub consumer: String,
    /// What is left of its ranges.
    #[sqlx(json)]
    pub ranges: Vec<Range>,
    /// What came of it so far.
    #[sqlx(json)]
    pub report: Report,
    /// `running` or `done`.
    pub state: String,
    /// Who began it.
    pub started_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When it last reached a place.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Why a replay does not go on.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody runs it now.
    #[error("the replay {0} is being run at this moment")]
    Running(String),
    /// It was done.
    #[error("the replay {0} is done; `sluice replay list` shows what came of it; make a new plan to do it again")]
    Done(String),
    /// The control database does not answer.
    #[error("the control database: {0}")]
    Database(#[from] sqlx::Error),
    /// It stopped before its end.
    #[error(transparent)]
    Rerun(#[from] RerunError),
}

/// The right to run a replay, until it is dropped or its connection ends.
pub struct Lease {
    _connection: PgConnection,
}

impl Lease {
    /// Takes it.
    ///
    /// # Errors
    /// When somebody has it.
    pub async fn take(control: &PgPool, token: &str) -> Result<Self, JournalError> {
        let mut connection = PgConnection::connect_with(&control.connect_options()).await?;
        let is_free: bool = sqlx::query_scalar("select pg_try_advisory_lock(hashtext('replay'), hashtext($1))")
            .bind(token)
            .fetch_one(&mut connection)
            .await?;
        if is_free { Ok(Self { _connection: connection }) } else { Err(JournalError::Running(token.to_owned())) }
    }
}

/// Replays that were begun, the newest first.
pub async fn list(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<Begun>> {
    sqlx::query_as("select * from replay order by started_at desc limit 50").fetch_all(executor).await
}

/// One of them.
pub async fn find(executor: impl PgExecutor<'_>, token: &str) -> sqlx::Result<Option<Begun>> {
    sqlx::query_as("select * from replay where token = $1").bind(token).fetch_optional(executor).await
}

/// Begins one.
pub async fn begin(executor: impl PgExecutor<'_>, token: &str, consumer: &str, ranges: &[Range]) -> sqlx::Result<()> {
    sqlx::query("insert into replay (token, consumer, ranges, report) values ($1, $2, $3, $4)")
        .bind(token)
        .bind(consumer)
        .bind(Json(ranges))
        .bind(Json(Report::default()))
        .execute(executor)
        .await?;
    Ok(())
}

async fn note(
    executor: impl PgExecutor<'_>,
    token: &str,
    ranges: &[Range],
    report: &Report,
    state: &str,
) -> sqlx::Result<()> {
    sqlx::query("update replay set ranges = $2, report = $3, state = $4, updated_at = now() where token = $1")
        .bind(token)
        .bind(Json(ranges))
        .bind(Json(report))
        .bind(state)
        .execute(executor)
        .await?;
    Ok(())
}

/// Runs what is left of a replay to its end, noting each place that it reaches. What was applied after the last place is
/// applied again when it is resumed, which changes nothing.
///
/// `shown` is told the report after each place.
///
/// # Errors
/// When it was done, or stops before its end.
pub async fn run<C: runtime::Consumer>(
    rerun: &Rerun<'_, C>,
    control: &PgPool,
    begun: &Begun,
    rate: Option<u32>,
    mut shown: impl FnMut(&[Range], &Report),
) -> Result<Report, JournalError> {
    if begun.state == "done" {
        return Err(JournalError::Done(begun.token.clone()));
    }
    let (mut left, mut report) = (begun.ranges.clone(), begun.report.clone());
    let brake = Brake::new(rate);
    let applying = rerun.apply(&begun.ranges, &brake, async |place: Reached| {
        if let Some(range) = left.get_mut(place.range) {
            range.from = place.next;
        }
        report.add(place.report);
        note(control, &begun.token, &left, &report, "running").await.map_err(RerunError::Journal)?;
        shown(&left, &report);
        Ok(())
    });
    tokio::select! {
        done = applying => done?,
        () = brake.watch(control, &begun.consumer) => {}
    }
    note(control, &begun.token, &left, &report, "done").await?;
    Ok(report)
}
