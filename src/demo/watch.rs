//! Watches what was written arrive, until all of it has or nothing moves any more.

use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::task::JoinHandle;

use super::board::{Board, Stage};
use super::ledger::Ledger;
use super::targets::{Targets, What};

/// How long nothing may move.
const PATIENCE: Duration = Duration::from_mins(2);
const BETWEEN: Duration = Duration::from_millis(400);

/// Something that should arrive.
pub(super) struct Goal {
    pub(super) label: &'static str,
    pub(super) what: What,
    pub(super) total: u64,
}

impl Goal {
    pub(super) fn new(label: &'static str, what: What, total: usize) -> Self {
        Self { label, what, total: total as u64 }
    }
}

/// Shows the writer at work and its effects arriving. Ends when all have arrived; fails when the writer does, or when
/// nothing has moved for two minutes.
pub(super) async fn watch<T: Send + 'static>(
    writer: JoinHandle<anyhow::Result<T>>,
    ledger: &Ledger,
    targets: &Targets,
    goals: &[Goal],
) -> anyhow::Result<T> {
    let start = Instant::now();
    let first_byte = targets.log_positions().await?.0;
    let mut last_byte = None;
    let mut stages = stages(ledger, goals);
    let mut board = Board::new();
    let mut moved = Instant::now();
    loop {
        let written = writer.is_finished();
        let before: Vec<u64> = stages.iter().map(|stage| stage.done).collect();
        stages[0].done = ledger.written();
        let (log_end, confirmed) = targets.log_positions().await?;
        if written && last_byte.is_none() {
            last_byte = Some(log_end);
        }
        stages[1].done = kibibytes(confirmed.min(last_byte.unwrap_or(i64::MAX)) - first_byte);
        stages[1].total = kibibytes(last_byte.unwrap_or(log_end) - first_byte);
        let effects = ledger.effects();
        for (stage, goal) in stages[2..].iter_mut().zip(goals) {
            stage.done = targets.count(goal.what, &effects).await?;
        }
        for (at, stage) in stages.iter_mut().enumerate() {
            let complete = stage.done >= stage.total && (written || at != 1);
            stage.complete = stage.complete.or_else(|| complete.then(|| start.elapsed()));
        }
        if stages.iter().map(|stage| stage.done).ne(before) {
            moved = Instant::now();
        }
        let arrived = written && stages.iter().all(|stage| stage.complete.is_some());
        let failed = written && ledger.written() < ledger.planned;
        board.show(&stages, arrived || failed);
        if arrived || failed {
            return writer.await?;
        }
        if moved.elapsed() > PATIENCE {
            bail!("{}", stuck(&stages));
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

fn stages(ledger: &Ledger, goals: &[Goal]) -> Vec<Stage> {
    let stage = |label, total, unit| Stage { label, done: 0, total, unit, complete: None };
    let mut stages = vec![stage("written (API)", ledger.planned, "rows"), stage("captured (WAL, Debezium)", 0, "KiB")];
    stages.extend(goals.iter().map(|goal| stage(goal.label, goal.total, "")));
    stages
}

fn kibibytes(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0).div_ceil(1024)
}

/// What to look at when it does not move.
fn stuck(stages: &[Stage]) -> String {
    let missing = stages.iter().filter(|stage| stage.complete.is_none()).map(|stage| stage.label);
    let missing = missing.collect::<Vec<_>>().join(", ");
    format!(
        "nothing has moved for {} s; not complete: {missing}. Look at `make status`, at `sluice connectors status` \
         (a failed connector, a slot that lags), at `make logs`, and for parked records in the database backbone",
        PATIENCE.as_secs()
    )
}
