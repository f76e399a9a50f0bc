//! How far a partition is: received, applied, committed, and behind its end.

use std::sync::atomic::Ordering;

use platform::metric;

use super::{Lane, State, lock};
use crate::consumer::Consumer;
use crate::frontier::Mark;

impl<C: Consumer> Lane<C> {
    /// The offset that is awaited, while nothing keeps it from being received.
    pub(crate) fn stands_at(&self) -> Option<i64> {
        let runs = matches!(*lock(&self.state), State::Running) && *lock(&self.pauses) == 0 && !self.is_closing();
        if runs { self.awaited() } else { None }
    }

    /// What is applied and not committed.
    pub(crate) fn uncommitted(&self) -> Option<Mark> {
        let mark = lock(&self.applied).clone()?;
        (mark.next_offset != self.committed.load(Ordering::Relaxed)).then_some(mark)
    }

    /// Notes what was sent to be committed.
    pub(crate) fn committed(&self, offset: i64) {
        self.committed.store(offset, Ordering::Relaxed);
    }

    /// What was applied is committed again with the next round.
    pub(crate) fn commit_again(&self) {
        self.committed.store(-1, Ordering::Relaxed);
    }

    /// Notes what the group has really committed, every few seconds. What was sent a round ago and did not arrive is sent
    /// again.
    pub(crate) fn saw_committed(&self, arrived: i64) {
        let sent = self.committed.load(Ordering::Relaxed);
        let missing = if sent >= 0 && sent != arrived && lock(&self.applied).is_some() { sent } else { -1 };
        let missing_before = self.uncertain.swap(missing, Ordering::Relaxed);
        if missing >= 0 && missing == missing_before {
            let (consumer, topic, partition) = (self.worker.name(), &*self.topic, self.partition);
            tracing::warn!(
                consumer,
                topic,
                partition,
                sent,
                arrived,
                "a commit of {sent} did not arrive; committing again"
            );
            self.commit_again();
        }
    }

    /// The first offset that is not applied; -1 before anything is known.
    pub(crate) fn next_offset(&self) -> i64 {
        lock(&self.applied).as_ref().map_or(-1, |mark| mark.next_offset)
    }

    /// Notes the partition's end and what that means for lag.
    pub(crate) fn saw_end(&self, end: i64) {
        self.end.store(end, Ordering::Relaxed);
        let (records, seconds) = self.lag();
        #[expect(clippy::cast_precision_loss, reason = "a gauge; lag stays far below 2^53")]
        metrics::gauge!(metric::CONSUMER_LAG_RECORDS, self.labels()).set(records as f64);
        metrics::gauge!(metric::CONSUMER_LAG_SECONDS, self.labels()).set(seconds);
    }

    /// The partition's end as last seen; -1 before it was.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end.load(Ordering::Relaxed)
    }

    /// How many records a second it applies when it is behind; none before it was.
    pub(crate) fn per_second(&self) -> Option<f64> {
        lock(&self.pace).per_second()
    }

    /// Lag in records and in seconds: how far behind the end, and how old the last applied record is then.
    pub(crate) fn lag(&self) -> (i64, f64) {
        let (next, end) = (self.next_offset(), self.end_offset());
        let records = if next < 0 || end < 0 { 0 } else { (end - next).max(0) };
        if records == 0 {
            return (records, 0.0);
        }
        let applied_ms = self.applied_ms.load(Ordering::Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of lag stay far below 2^53")]
        let seconds = (self.worker.clock.now_ms() - applied_ms).max(0) as f64 / 1000.0;
        (records, seconds)
    }

    /// A partition that is somebody else's now is neither behind nor halted here: a gauge keeps its last value otherwise.
    pub(super) fn forget_gauges(&self) {
        for gauge in [metric::CONSUMER_HALTED, metric::CONSUMER_LAG_RECORDS, metric::CONSUMER_LAG_SECONDS] {
            metrics::gauge!(gauge, self.labels()).set(0.0);
        }
    }

    pub(super) fn labels(&self) -> Vec<metrics::Label> {
        vec![
            metrics::Label::new("consumer", self.worker.name()),
            metrics::Label::new("topic", self.topic.to_string()),
            metrics::Label::new("partition", self.partition.to_string()),
        ]
    }
}
