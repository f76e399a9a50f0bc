//! One partition: it receives records on the polling thread and applies them, in order, in a task of its own.

mod apply;
mod batch;
mod linger;
mod locate;
mod order;
mod salvage;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platform::metric;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::consumer::Consumer;
use crate::epoch::PartitionEpochs;
use crate::frontier::Mark;
use crate::inbox::{Inbox, Incoming, Phase, Reading, Received};
use crate::poll::Move;
use crate::topic::Topic;
use crate::turn::Partition;
use crate::worker::Worker;

pub(crate) use order::{Order, Ordered};

/// Why a partition is paused; it runs when no reason is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause(u8);

impl Pause {
    /// It has not found out where to start, or is being moved.
    pub(crate) const PLACE: Self = Self(1);
    /// It holds as much as it may.
    pub(crate) const FULL: Self = Self(2);
    /// It is halted.
    pub(crate) const HALT: Self = Self(4);
    /// An operator paused it.
    pub(crate) const OPERATOR: Self = Self(8);
    /// It is behind, and another partition's turn.
    pub(crate) const TURN: Self = Self(16);
}

/// Why a lane's task stops what it is doing.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The partition is revoked or the process ends.
    Closing,
    /// An operator moved it: it finds out anew where to start.
    Relocate,
    /// A person must look; the reason is a sentence for them.
    Halt(String),
}

/// What an operator sees of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Locating,
    Running,
    Retrying(String),
    Paused,
    Halted(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locating => "locating",
            Self::Running => "running",
            Self::Retrying(_) => "retrying",
            Self::Paused => "paused",
            Self::Halted(_) => "halted",
        })
    }
}

/// One partition.
pub(crate) struct Lane<C: Consumer> {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    number: u64,
    worker: Arc<Worker<C>>,
    reading: Reading<C::Row>,
    inbox: Mutex<Inbox<C::Row>>,
    pauses: Mutex<u8>,
    state: Mutex<State>,
    wake: Notify,
    /// Woken while it lingers: there is no more to wait for.
    ripe: Notify,
    /// Woken to try again after a halt.
    restart: Notify,
    orders: Mutex<VecDeque<Ordered>>,
    /// Woken when something is ordered, also while it is halted.
    ordered: Notify,
    closing: CancellationToken,
    finished: (Mutex<bool>, Condvar),
    applied: Mutex<Option<Mark>>,
    committed: AtomicI64,
    /// What was sent to be committed and had not arrived when that was last looked at.
    uncertain: AtomicI64,
    end: AtomicI64,
    /// Timestamp of the last record applied; before the first, when the partition was taken.
    applied_ms: AtomicI64,
    suspect: AtomicBool,
    /// Where the partition was moved to, to be moved there again when that is lost.
    lost_move: Mutex<Option<Placed>>,
    /// The place it was moved to and the first record that came, when there were none between.
    gap: Mutex<Option<(i64, i64)>>,
}

/// Where and how a partition was placed.
struct Placed {
    offset: i64,
    phase: Phase,
    queuing: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: Consumer> Lane<C> {
    pub(crate) fn new(worker: Arc<Worker<C>>, topic: Arc<Topic<C::Row>>, partition: i32) -> Arc<Self> {
        let name = topic.name().clone();
        let epochs = worker.epochs.read().unwrap_or_else(PoisonError::into_inner).of_partition(&name, partition);
        let (registry, parked) = (worker.registry.clone(), worker.parked.clone());
        let (budget, taken_ms) = (worker.budget.clone(), worker.clock.now_ms());
        Arc::new(Self {
            topic: name,
            partition,
            number: worker.number_lane(),
            reading: Reading { topic, partition, epochs, inherit: C::inherit, registry, parked },
            worker,
            inbox: Mutex::new(Inbox::new(budget)),
            pauses: Mutex::new(Pause::PLACE.0),
            state: Mutex::new(State::Locating),
            wake: Notify::new(),
            ripe: Notify::new(),
            restart: Notify::new(),
            orders: Mutex::default(),
            ordered: Notify::new(),
            closing: CancellationToken::new(),
            finished: (Mutex::new(false), Condvar::new()),
            applied: Mutex::new(None),
            committed: AtomicI64::new(-1),
            uncertain: AtomicI64::new(-1),
            end: AtomicI64::new(-1),
            applied_ms: AtomicI64::new(taken_ms),
            suspect: AtomicBool::new(false),
            lost_move: Mutex::new(None),
            gap: Mutex::new(None),
        })
    }

    /// Starts the lane's task. The partition must be assigned and paused.
    pub(crate) fn start(self: &Arc<Self>) {
        let lane = self.clone();
        self.worker.runtime.spawn(async move {
            lane.run().await;
            lane.worker.turn(|turns| turns.leave(&lane.name()));
            lane.forget_gauges();
            *lock(&lane.finished.0) = true;
            lane.finished.1.notify_all();
        });
    }

    async fn run(self: &Arc<Self>) {
        loop {
            let stopped = match self.begin().await {
                Ok(()) => self.work_on().await,
                Err(stop) => stop,
            };
            match stopped {
                Stop::Closing => return,
                Stop::Relocate => {}
                Stop::Halt(reason) => {
                    self.halt(reason);
                    if !self.wait_halted().await {
                        return;
                    }
                    self.unhalt();
                }
            }
        }
    }

    /// What was ordered comes first: it may decide where to start.
    async fn begin(self: &Arc<Self>) -> Result<(), Stop> {
        self.obey().await?;
        self.locate().await
    }

    /// Waits until a halted partition is to try again; false when it is closing.
    async fn wait_halted(self: &Arc<Self>) -> bool {
        loop {
            tokio::select! {
                () = self.closing.cancelled() => return false,
                () = self.restart.notified() => return true,
                () = self.ordered.notified() => match self.obey().await {
                    Ok(()) => {}
                    Err(Stop::Closing) => return false,
                    Err(Stop::Relocate) => return true,
                    Err(Stop::Halt(reason)) => self.halt(reason),
                },
            }
        }
    }

    /// Applies what arrives until something stops it.
    async fn work_on(self: &Arc<Self>) -> Stop {
        loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return Stop::Closing,
                () = self.wake.notified() => {}
            }
            if self.suspect.swap(false, Ordering::Relaxed)
                && let Err(stop) = self.check_position().await
            {
                return stop;
            }
            if let Err(stop) = self.work().await {
                return stop;
            }
        }
    }

    /// Takes a record; called by the polling thread.
    pub(crate) fn receive(self: &Arc<Self>, record: &Incoming<'_>) {
        let received = lock(&self.inbox).receive(&self.reading, record);
        match received {
            Received::Taken => {
                self.wake.notify_one();
                if record.offset + 1 == self.end_offset() {
                    self.ripe.notify_one();
                }
            }
            Received::Full => {
                self.pause(Pause::FULL);
                self.wake.notify_one();
                self.ripe.notify_one();
            }
            Received::Ignored => {}
            Received::AnotherIncarnation => {
                lock(&self.inbox).close();
                self.suspect();
            }
            Received::Early => self.move_again(record.offset),
            Received::AfterGap { from } => {
                *lock(&self.gap) = Some((from, record.offset));
                self.suspect();
            }
        }
    }

    /// The last move was lost (see [`crate::assignment`]); asks for it once more.
    fn move_again(self: &Arc<Self>, seen: i64) {
        let Some(request) = lock(&self.lost_move).take() else { return };
        let (topic, partition, offset) = (&*self.topic, self.partition, request.offset);
        tracing::warn!(topic, partition, offset, seen, "a move to {offset} was lost; moving again");
        let (done, _) = oneshot::channel();
        let Placed { offset, phase, queuing } = request;
        // the worker ends when nobody listens
        let _ = self.worker.moves.send(Move { lane: self.clone(), offset, phase, queuing, done });
    }

    /// The polling thread moved the partition.
    pub(crate) fn moved(&self, offset: i64, phase: Phase, queuing: bool) {
        *lock(&self.lost_move) = Some(Placed { offset, phase, queuing });
        lock(&self.inbox).open(offset, phase, queuing);
    }

    /// Asks for the partition to be moved and waits until it is. Whatever was received and not applied is forgotten.
    async fn move_to(self: &Arc<Self>, offset: i64, phase: Phase, queuing: bool) -> Result<(), Stop> {
        self.pause(Pause::PLACE);
        lock(&self.inbox).close();
        let (done, moved) = oneshot::channel();
        let request = Move { lane: self.clone(), offset, phase, queuing, done };
        self.worker.moves.send(request).map_err(|_| Stop::Closing)?;
        tokio::select! {
            () = self.closing.cancelled() => return Err(Stop::Closing),
            moved = moved => moved.map_err(|_| Stop::Closing)?,
        }
        self.unpause(Pause::FULL);
        self.unpause(Pause::PLACE);
        Ok(())
    }

    pub(crate) fn pause(&self, reason: Pause) {
        let mut pauses = lock(&self.pauses);
        let before = *pauses;
        *pauses |= reason.0;
        if before == 0 {
            self.tell_kafka("pause", crate::worker::Kafka::<C>::pause);
        }
    }

    pub(crate) fn unpause(&self, reason: Pause) {
        let mut pauses = lock(&self.pauses);
        let before = *pauses;
        *pauses &= !reason.0;
        if before != 0 && *pauses == 0 {
            self.tell_kafka("resume", crate::worker::Kafka::<C>::resume);
        }
    }

    fn is_paused(&self, reason: Pause) -> bool {
        *lock(&self.pauses) & reason.0 != 0
    }

    /// An operator stops it, until [`Lane::resume`].
    pub(crate) fn pause_by_operator(&self) {
        self.pause(Pause::OPERATOR);
        self.forgo_turn();
    }

    /// Waits for no turn, and keeps none from coming to others.
    fn forgo_turn(&self) {
        self.worker.turn(|turns| turns.leave(&self.name()));
        self.unpause(Pause::TURN);
    }

    pub(crate) fn name(&self) -> Partition {
        (self.topic.clone(), self.partition, self.number)
    }

    /// True when its turn brought nothing that waits to be applied.
    pub(crate) fn is_barren(&self) -> bool {
        lock(&self.inbox).fold.is_empty()
    }

    fn tell_kafka(
        &self,
        what: &'static str,
        call: impl FnOnce(&crate::worker::Kafka<C>, &TopicPartitionList) -> rdkafka::error::KafkaResult<()>,
    ) {
        if self.is_closing() {
            return;
        }
        let Some(kafka) = self.worker.kafka() else { return };
        let mut partition = TopicPartitionList::new();
        partition.add_partition(&self.topic, self.partition);
        if let Err(error) = call(&kafka, &partition) {
            tracing::warn!(topic = &*self.topic, partition = self.partition, %error, "cannot {what} a partition");
        }
    }

    fn halt(&self, reason: String) {
        self.pause(Pause::HALT);
        self.forgo_turn();
        lock(&self.inbox).close();
        let (consumer, topic, partition) = (self.worker.name(), &*self.topic, self.partition);
        tracing::error!(
            consumer,
            topic,
            partition,
            reason,
            "{consumer}: {topic}[{partition}] is halted, and stays so until `sluice resume {consumer}`: {reason}"
        );
        self.set_state(State::Halted(reason));
    }

    fn unhalt(&self) {
        self.set_state(State::Locating);
        self.pause(Pause::PLACE);
        self.unpause(Pause::HALT);
    }

    fn set_state(&self, state: State) {
        let halted = if matches!(state, State::Halted(_)) { 1.0 } else { 0.0 };
        let kind = std::mem::discriminant(&state);
        let before = std::mem::replace(&mut *lock(&self.state), state);
        if std::mem::discriminant(&before) == kind {
            return;
        }
        metrics::gauge!(metric::CONSUMER_HALTED, self.labels()).set(halted);
        self.worker.news.notify_one();
    }

    pub(crate) fn state(&self) -> State {
        let state = lock(&self.state).clone();
        let paused = *lock(&self.pauses) & Pause::OPERATOR.0 != 0;
        if paused && !matches!(state, State::Halted(_)) { State::Paused } else { state }
    }

    /// An operator asks it to go on: after a pause, or to try again after a halt.
    pub(crate) fn resume(&self) {
        self.unpause(Pause::OPERATOR);
        if matches!(*lock(&self.state), State::Halted(_)) {
            self.restart.notify_one();
        }
    }

    /// Something is wrong with some partition's position; this one looks at its own.
    pub(crate) fn suspect(&self) {
        self.suspect.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// The epochs that it reads by.
    pub(crate) fn epochs(&self) -> &PartitionEpochs {
        &self.reading.epochs
    }

    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Waits, on a thread that may block, until the lane's task has ended.
    pub(crate) fn wait_finished(&self, patience: Duration) -> bool {
        let finished = lock(&self.finished.0);
        let waited = self.finished.1.wait_timeout_while(finished, patience, |finished| !*finished);
        let (finished, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *finished
    }

    /// The offset that it is to receive next, while nothing keeps it from receiving.
    pub(crate) fn awaits(&self) -> Option<i64> {
        let runs = matches!(*lock(&self.state), State::Running) && *lock(&self.pauses) == 0 && !self.is_closing();
        if runs { lock(&self.inbox).awaits() } else { None }
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
    fn forget_gauges(&self) {
        for gauge in [metric::CONSUMER_HALTED, metric::CONSUMER_LAG_RECORDS, metric::CONSUMER_LAG_SECONDS] {
            metrics::gauge!(gauge, self.labels()).set(0.0);
        }
    }

    fn labels(&self) -> Vec<metrics::Label> {
        vec![
            metrics::Label::new("consumer", self.worker.name()),
            metrics::Label::new("topic", self.topic.to_string()),
            metrics::Label::new("partition", self.partition.to_string()),
        ]
    }

    /// Waits, unless the lane is closing or something is ordered of it first: an order is not to wait for what is tried
    /// again and again.
    async fn sleep(&self, duration: Duration) -> Result<(), Stop> {
        let deadline = tokio::time::Instant::now() + duration;
        loop {
            if !lock(&self.orders).is_empty() {
                return Err(Stop::Relocate);
            }
            tokio::select! {
                () = self.closing.cancelled() => return Err(Stop::Closing),
                () = self.ordered.notified() => {}
                () = tokio::time::sleep_until(deadline) => return Ok(()),
            }
        }
    }
}
