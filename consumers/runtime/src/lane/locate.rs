//! Where a partition starts, and whether that can be trusted. A missing or impossible offset halts; it never jumps.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::{Lane, State, Stop, lock};
use crate::backoff::Backoff;
use crate::consumer::Consumer;
use crate::frontier::{self, Fingerprint};
use crate::inbox::Phase;
use crate::verdict::Fault;

/// How long the broker may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of a partition before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    /// The group's committed offset and its metadata.
    committed: Option<(i64, String)>,
    /// The first offset that is retained.
    first: i64,
    /// The offset after the last record.
    end: i64,
    /// Whether `backbone` has seen the consumer start this partition.
    started: bool,
    /// The next offset by the target's own frontier.
    target: Option<i64>,
}

/// Where to start.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    /// Never started: at the first record that is retained.
    Earliest(i64),
    /// After what was applied, having seen that the record before is the one that was applied.
    After(i64, Fingerprint),
    /// After what was applied, with nothing to compare.
    At(i64),
    /// Not at all.
    Halt(String),
}

fn start(known: &Known) -> Start {
    let Known { committed, first, end, started, target } = known;
    let Some((committed, metadata)) = committed else {
        return match (started, target) {
            (false, None) => Start::Earliest(*first),
            (true, _) => Start::Halt(
                "the group has no committed offset although it was started before: the offset expired, or the topic was \
                 deleted and made again, which deletes it; if the topic is the same, `sluice rewind` to the next \
                 offset in the target's cdc.frontier, else take a snapshot again"
                    .to_owned(),
            ),
            (false, Some(target)) => Start::Halt(format!(
                "the target was written up to offset {target} by a group that the control database does not know; \
                 is this another backbone database, or another group name"
            )),
        };
    };
    let fingerprint = metadata.parse::<Fingerprint>().ok();
    if committed < first {
        return Start::Halt(format!(
            "committed {committed} is no longer retained (first retained {first}): {} records passed retention \
             unread; take an incremental snapshot of the table, then `sluice rewind` to {first}",
            first - committed
        ));
    }
    if committed > end {
        return Start::Halt(format!(
            "committed {committed} lies beyond the end {end}: the topic was deleted and made again"
        ));
    }
    match (target, fingerprint) {
        (Some(target), _) if target < committed => Start::Halt(format!(
            "the target stands at offset {target}, behind committed {committed}: it was restored from an older backup; \
             `sluice rewind` to {target} to apply again what it lost"
        )),
        (None, Some(_)) => Start::Halt(format!(
            "the target has no frontier although committed is {committed}: it was emptied or restored from before the \
             first change; `sluice rewind` to {first}, or take a snapshot again"
        )),
        (_, Some(fingerprint)) if committed > first => Start::After(*committed, fingerprint),
        _ => Start::At(*committed),
    }
}

impl<C: Consumer> Lane<C> {
    /// Finds out where to start, moves there and opens the partition.
    pub(super) async fn locate(self: &Arc<Self>) -> Result<(), Stop> {
        self.set_state(State::Locating);
        let known = self.ask().await?;
        self.saw_end(known.end);
        let start = start(&known);
        if let Start::Earliest(next) | Start::After(next, _) | Start::At(next) = &start {
            self.await_turn(*next);
        }
        match start {
            Start::Halt(reason) => return Err(Stop::Halt(reason)),
            Start::Earliest(first) => {
                self.note_started(first).await?;
                self.move_to(first, Phase::Open, false).await?;
            }
            Start::After(next, fingerprint) => {
                let phase = Phase::Verifying { offset: next - 1, fingerprint };
                self.move_to(next - 1, phase, false).await?;
            }
            Start::At(next) => self.move_to(next, Phase::Open, false).await?,
        }
        if let Some((committed, _)) = known.committed {
            self.committed.store(committed, Ordering::Relaxed);
        }
        self.set_state(State::Running);
        Ok(())
    }

    /// Asks until all answer: the broker, the control database, the target.
    async fn ask(self: &Arc<Self>) -> Result<Known, Stop> {
        let mut backoff = Backoff::default();
        loop {
            let reason = match self.ask_once().await {
                Ok(known) => return Ok(known),
                Err(reason) => reason,
            };
            let wait = backoff.next(None);
            if backoff.attempts() % 5 == 1 {
                let (consumer, topic, partition) = (self.worker.name(), &*self.topic, self.partition);
                tracing::warn!(consumer, topic, partition, reason, "waiting to start {topic}[{partition}]: {reason}");
            }
            self.sleep(wait).await?;
        }
    }

    async fn ask_once(self: &Arc<Self>) -> Result<Known, String> {
        let lane = self.clone();
        let asked = tokio::task::spawn_blocking(move || lane.ask_broker());
        let (committed, first, end) = asked.await.map_err(|e| e.to_string())??;
        let (control, name) = (&self.worker.control, self.worker.name());
        let (topic, partition) = (&*self.topic, self.partition);
        let group = &self.worker.settings.group;
        let started: bool = sqlx::query_scalar(
            "select exists (select from started_partition where consumer = $1 and topic = $2 and partition = $3)",
        )
        .bind(group)
        .bind(topic)
        .bind(partition)
        .fetch_one(control)
        .await
        .map_err(|e| format!("the control database does not answer: {e}"))?;
        if self.is_paused_by_operator().await.map_err(|e| e.to_string())? {
            self.pause_by_operator();
        }
        let target = frontier::read(self.worker.consumer.home(), name, topic, partition)
            .await
            .map_err(|e| format!("the target does not answer: {e}"))?;
        Ok(Known { committed, first, end, started, target })
    }

    async fn is_paused_by_operator(&self) -> sqlx::Result<bool> {
        sqlx::query_scalar(
            "select exists (select from paused_partition where consumer = $1 and topic = $2 and partition = $3)",
        )
        .bind(self.worker.name())
        .bind(&*self.topic)
        .bind(self.partition)
        .fetch_one(&self.worker.control)
        .await
    }

    /// The offset after the partition's last record. Blocks.
    pub(crate) fn ask_end(&self) -> Result<i64, String> {
        let kafka = self.worker.kafka().ok_or("the client is closing")?;
        let watermarks = kafka.fetch_watermarks(&self.topic, self.partition, PATIENCE);
        watermarks.map(|(_, end)| end).map_err(|error| format!("watermarks: {error}"))
    }

    #[expect(clippy::type_complexity, reason = "the committed offset with its metadata, the first, the end")]
    pub(super) fn ask_broker(&self) -> Result<(Option<(i64, String)>, i64, i64), String> {
        let kafka = self.worker.kafka().ok_or("the client is closing")?;
        let (first, end) =
            kafka.fetch_watermarks(&self.topic, self.partition, PATIENCE).map_err(|e| format!("watermarks: {e}"))?;
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&self.topic, self.partition);
        let answer = kafka.committed_offsets(asked, PATIENCE).map_err(|e| format!("committed offsets: {e}"))?;
        let element = answer.find_partition(&self.topic, self.partition).ok_or("no committed offset was answered")?;
        element.error().map_err(|e| format!("committed offset: {e}"))?;
        let committed = match element.offset() {
            Offset::Offset(offset) => Some((offset, element.metadata().to_owned())),
            _ => None,
        };
        Ok((committed, first, end))
    }

    /// Commits the first offset, then notes in `backbone` that the partition was started: in this order, so that a
    /// crash between the two cannot make the start look like a lost offset.
    async fn note_started(self: &Arc<Self>, first: i64) -> Result<(), Stop> {
        let mut backoff = Backoff::default();
        loop {
            let lane = self.clone();
            let committed = tokio::task::spawn_blocking(move || {
                let kafka = lane.worker.kafka().ok_or("the client is closing".to_owned())?;
                let mut offsets = TopicPartitionList::new();
                offsets
                    .add_partition_offset(&lane.topic, lane.partition, Offset::Offset(first))
                    .and_then(|()| kafka.commit(&offsets, CommitMode::Sync))
                    .map_err(|e| e.to_string())
            });
            let noted = match committed.await {
                Ok(Ok(())) => self.insert_started().await.map_err(|e| e.to_string()),
                Ok(Err(reason)) => Err(reason),
                Err(reason) => Err(reason.to_string()),
            };
            let Err(reason) = noted else { return Ok(()) };
            tracing::warn!(
                topic = &*self.topic,
                partition = self.partition,
                reason,
                "cannot note a start yet: {reason}"
            );
            self.sleep(backoff.next(None)).await?;
        }
    }

    async fn insert_started(&self) -> sqlx::Result<()> {
        sqlx::query(
            "insert into started_partition (consumer, topic, partition) values ($1, $2, $3) on conflict do nothing",
        )
        .bind(&self.worker.settings.group)
        .bind(&*self.topic)
        .bind(self.partition)
        .execute(&self.worker.control)
        .await?;
        Ok(())
    }

    /// Something said that a position is not to be had. Halts if it is this partition's.
    pub(super) async fn check_position(self: &Arc<Self>) -> Result<(), Stop> {
        if lock(&self.inbox).phase == Phase::Closed {
            return Err(Stop::Halt(
                "the record before the committed offset is not the one that was applied: the topic was deleted and made \
                 again; take a snapshot again, then `sluice rewind` to the first record"
                    .to_owned(),
            ));
        }
        let gap = lock(&self.gap).take();
        if let Some((from, seen)) = gap {
            return self.judge_gap(from, seen).await;
        }
        // looked at before the broker is asked: records go on arriving, and would lie beyond the end that it tells
        let received = lock(&self.inbox).fold.end.map(|(next, _)| next);
        let next = received.unwrap_or_else(|| self.next_offset());
        let lane = self.clone();
        let asked = tokio::task::spawn_blocking(move || lane.ask_broker()).await;
        // The broker is away: who looks for the place waits for it.
        let Ok(Ok((_, first, end))) = asked else { return Err(Stop::Relocate) };
        if next >= 0 && (next < first || next > end) {
            return Err(Stop::Halt(format!(
                "position {next} is not within what the topic holds ({first} to {end}): retention passed it, or the \
                 topic was deleted and made again"
            )));
        }
        // librdkafka reads nothing more of a partition of which it once said that a position is not to be had, such as while
        // a new leader had not caught up: the place is found and taken again
        let (consumer, topic, partition) = (self.worker.name(), &*self.topic, self.partition);
        tracing::warn!(consumer, topic, partition, next, first, end, "taking the place again");
        Err(Stop::Relocate)
    }
}

impl<C: Consumer> Lane<C> {
    /// Records between a place and the first that came: compaction takes some, and a transaction's markers are none; what
    /// retention took was never read.
    async fn judge_gap(self: &Arc<Self>, from: i64, seen: i64) -> Result<(), Stop> {
        let known = self.ask().await?;
        if known.first > from {
            return Err(Stop::Halt(format!(
                "{} records from {from} on passed retention unread; take an incremental snapshot of the table, then \
                 rewind to {}",
                known.first - from,
                known.first
            )));
        }
        let (topic, partition) = (&*self.topic, self.partition);
        tracing::info!(topic, partition, from, seen, "no records between {from} and {seen}: the topic is compacted");
        Ok(())
    }
}

/// The verdict on a fault that came up while starting is the same as on any other.
impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Halt(fault.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let fingerprint = Fingerprint::of(1, None, None).to_string();
        Known { committed: Some((50, fingerprint)), first: 10, end: 100, started: true, target: Some(50) }
    }

    fn halts(known: &Known, with: &str) {
        let Start::Halt(reason) = start(known) else { panic!("{known:?} did not halt") };
        assert!(reason.contains(with), "{reason}");
    }

    #[test]
    fn a_partition_that_was_never_started_begins_at_the_earliest_record() {
        let new = Known { committed: None, started: false, target: None, ..known() };
        assert_eq!(start(&new), Start::Earliest(10));
    }

    #[test]
    fn a_committed_offset_is_trusted_after_a_look_at_the_record_before() {
        assert_eq!(start(&known()), Start::After(50, Fingerprint::of(1, None, None)));
        assert_eq!(start(&Known { target: Some(60), ..known() }), Start::After(50, Fingerprint::of(1, None, None)));
    }

    #[test]
    fn the_first_retained_record_has_nothing_before_it_to_look_at() {
        assert_eq!(start(&Known { first: 50, ..known() }), Start::At(50));
    }

    #[test]
    fn a_start_that_crashed_before_its_first_effect_starts_again() {
        let crashed = Known { committed: Some((10, String::new())), target: None, ..known() };
        assert_eq!(start(&crashed), Start::At(10));
    }

    #[test]
    fn a_lost_committed_offset_halts() {
        halts(&Known { committed: None, ..known() }, "no committed offset");
    }

    #[test]
    fn retention_that_passed_the_committed_offset_halts_and_counts_what_was_missed() {
        halts(&Known { first: 70, ..known() }, "20 records passed retention");
    }

    #[test]
    fn a_topic_made_again_with_fewer_records_halts() {
        halts(&Known { end: 30, ..known() }, "deleted and made again");
    }

    #[test]
    fn a_target_restored_from_an_older_backup_halts() {
        halts(&Known { target: Some(20), ..known() }, "restored from an older backup");
        halts(&Known { target: None, ..known() }, "no frontier");
    }

    #[test]
    fn another_control_database_is_noticed() {
        halts(&Known { committed: None, started: false, ..known() }, "does not know");
    }
}
