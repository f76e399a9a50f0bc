//! One partition: it receives records on the polling thread and applies them, in order, in a task of its own.

mod apply;
mod batch;
mod linger;
mod locate;
mod order;
mod pace;
mod pause;
mod place;
mod progress;
mod release;
mod salvage;
mod state;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::consumer::Consumer;
use crate::epoch::PartitionEpochs;
use crate::frontier::Mark;
use crate::inbox::{Inbox, Incoming, Reading, Received};
use crate::topic::Topic;
use crate::turn::Partition;
use crate::worker::Worker;

pub(crate) use order::{Order, Ordered};
use pace::Pace;
pub(crate) use pause::Pause;
pub(crate) use state::State;

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
    pace: Mutex<Pace>,
    suspect: AtomicBool,
    /// It was asked for to be moved to what is awaited, and was not yet.
    moving_again: AtomicBool,
    /// The place it was moved to and the first record that came, when there were none between.
    gap: Mutex<Option<(i64, i64)>>,
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
            pace: Mutex::default(),
            suspect: AtomicBool::new(false),
            moving_again: AtomicBool::new(false),
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

    pub(crate) fn name(&self) -> Partition {
        (self.topic.clone(), self.partition, self.number)
    }

    /// True when its turn brought nothing that waits to be applied.
    pub(crate) fn is_barren(&self) -> bool {
        lock(&self.inbox).fold.is_empty()
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
