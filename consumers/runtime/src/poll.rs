//! The polling thread: it never stops polling, whatever the partitions are doing.

use std::sync::{Arc, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::assignment::Assignment;
use crate::consumer::Consumer;
use crate::inbox::{Incoming, Phase};
use crate::lane::Lane;
use crate::record::{Record, timestamp_ms};
use crate::worker::{Kafka, Worker};

/// How long one poll waits for a record. A request to move waits at most as long.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often what was applied is committed. What a crash in between delivers again changes nothing.
const COMMIT_EVERY: Duration = Duration::from_millis(250);

/// How long librdkafka may refuse to move a partition. Right after an assignment it does so for a moment; of a partition of which
/// the broker said that a position is not to be had it does so for good, because it has stopped reading it.
const REFUSED_FOR: Duration = Duration::from_secs(3);

/// A partition asks to be moved to another offset. Done between polls, so that no record of before slips in after.
pub(crate) struct Move<C: Consumer> {
    /// Which.
    pub lane: Arc<Lane<C>>,
    /// Where to.
    pub to: To,
    /// Told when it is done; dropped when the partition is gone.
    pub done: oneshot::Sender<()>,
}

/// Where a partition is moved to.
pub(crate) enum To {
    /// Another place; whatever was received is forgotten.
    Place {
        /// The offset of its first record.
        offset: i64,
        /// What is done with the records from there on.
        phase: Phase,
        /// Whether they are queued rather than folded.
        queuing: bool,
    },
    /// What is awaited by then; what was received is kept.
    Awaited,
}

/// A move that was not carried out yet, and since when it waits.
struct Waiting<C: Consumer> {
    request: Move<C>,
    since: Instant,
}

/// Polls until `stop`, then drains and closes.
pub(crate) fn run<C: Consumer>(
    worker: &Arc<Worker<C>>,
    kafka: Arc<Kafka<C>>,
    requests: &mpsc::Receiver<Move<C>>,
    stop: &CancellationToken,
) {
    let mut waiting = Vec::new();
    let mut committed = Instant::now();
    while !stop.is_cancelled() {
        waiting.extend(requests.try_iter().map(|request| Waiting { request, since: Instant::now() }));
        let mut anew = std::mem::take(&mut *worker.outdated.lock().unwrap_or_else(PoisonError::into_inner));
        anew.retain(|lane| !lane.is_closing());
        waiting.retain_mut(|Waiting { request, since }| {
            let is_done = carry_out(&kafka, request);
            let is_refused = !is_done && since.elapsed() > REFUSED_FOR;
            if is_refused {
                anew.push(request.lane.clone());
            }
            !is_done && !is_refused
        });
        if !anew.is_empty() {
            kafka.context().take_again(&kafka, &anew);
        }
        match kafka.poll(PATIENCE) {
            Some(Ok(message)) => deliver(worker, &message),
            Some(Err(error)) => note(worker, &error),
            None => {}
        }
        if committed.elapsed() >= COMMIT_EVERY {
            // an operator's commit under way goes first; what was applied meanwhile is committed in the next round
            if let Ok(_alone) = worker.committing.try_lock() {
                commit(&kafka, &worker.lanes(), CommitMode::Async);
            }
            committed = Instant::now();
            worker.end_barren_turn();
        }
    }
    let lanes = worker.lanes();
    close(&lanes, worker.settings.drain);
    {
        let _alone = worker.committing.lock().unwrap_or_else(PoisonError::into_inner);
        commit(&kafka, &lanes, CommitMode::Sync);
    }
    leave(worker.name(), kafka);
}

/// Leaves the group, under a deadline: closing a client can hang when its brokers are gone.
fn leave<C: Consumer>(name: &'static str, kafka: Arc<Kafka<C>>) {
    let (left, gone) = mpsc::channel();
    let closing = std::thread::Builder::new().name(format!("close-{name}")).spawn(move || {
        kafka.unsubscribe();
        // the revocation is served by a poll
        let _ = kafka.poll(Duration::from_millis(200));
        drop(kafka);
        let _ = left.send(());
    });
    if closing.is_err() || gone.recv_timeout(Duration::from_secs(5)).is_err() {
        tracing::warn!(
            consumer = name,
            "{name}: the group was not left in time; its partitions move when the session ends"
        );
    }
}

/// True when the request is finished, one way or another.
fn carry_out<C: Consumer>(kafka: &Kafka<C>, request: &mut Move<C>) -> bool {
    let lane = &request.lane;
    if lane.is_closing() {
        return true;
    }
    let offset = match request.to {
        To::Place { offset, .. } => Some(offset),
        To::Awaited => lane.awaited(),
    };
    let Some(offset) = offset else {
        lane.moved_again();
        return true;
    };
    match kafka.seek(&lane.topic, lane.partition, Offset::Offset(offset), Duration::from_secs(2)) {
        Ok(()) => {
            match request.to {
                To::Place { offset, phase, queuing } => lane.moved(offset, phase, queuing),
                To::Awaited => lane.moved_again(),
            }
            let (unused, _) = oneshot::channel();
            // the lane may have gone away in the meantime
            let _ = std::mem::replace(&mut request.done, unused).send(());
            true
        }
        Err(error) => {
            // see `REFUSED_FOR`; the next round tries again
            tracing::debug!(topic = &*lane.topic, partition = lane.partition, %error, "a partition did not move yet");
            false
        }
    }
}

fn deliver<C: Consumer>(worker: &Worker<C>, message: &BorrowedMessage<'_>) {
    let Some(lane) = worker.lane(message.topic(), message.partition()) else { return };
    let incoming = Incoming {
        offset: message.offset(),
        timestamp_ms: timestamp_ms(message),
        key: message.key(),
        value: message.payload(),
        own: &|| Record::of(&lane.topic, message),
    };
    lane.receive(&incoming);
}

/// Commits what was applied since the last commit, each offset with the fingerprint of the record before it. The caller
/// holds `Worker::committing`.
pub(crate) fn commit<C: Consumer>(kafka: &BaseConsumer<Assignment<C>>, lanes: &[Arc<Lane<C>>], mode: CommitMode) {
    let mut offsets = TopicPartitionList::new();
    let mut marks = Vec::new();
    for lane in lanes {
        let Some(mark) = lane.uncommitted() else { continue };
        let mut element = offsets.add_partition(&mark.topic, mark.partition);
        if element.set_offset(Offset::Offset(mark.next_offset)).is_ok() {
            element.set_metadata(mark.fingerprint.to_string());
            marks.push((lane, mark.next_offset));
        }
    }
    if marks.is_empty() {
        return;
    }
    match kafka.commit(&offsets, mode) {
        Ok(()) => marks.into_iter().for_each(|(lane, offset)| lane.committed(offset)),
        Err(error) => tracing::warn!(%error, "a commit was refused; its records are delivered again"),
    }
}

/// Tells lanes to finish what they are applying and waits for them, together no longer than `deadline`.
pub(crate) fn close<C: Consumer>(lanes: &[Arc<Lane<C>>], deadline: Duration) {
    for lane in lanes {
        lane.close();
    }
    let until = Instant::now() + deadline;
    for lane in lanes {
        if !lane.wait_finished(until.saturating_duration_since(Instant::now())) {
            tracing::warn!(
                topic = &*lane.topic,
                partition = lane.partition,
                "a batch did not finish before the deadline"
            );
        }
    }
}

fn note<C: Consumer>(worker: &Worker<C>, error: &KafkaError) {
    let consumer = worker.name();
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::UnknownTopicId,
        ) => {
            tracing::error!(consumer, %error, "a position is not retained; looking for the partition");
            worker.lanes().iter().for_each(|lane| lane.suspect());
        }
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            tracing::warn!(consumer, %error, "a topic is not there yet; `sluice connectors apply` makes it");
            worker.lanes().iter().for_each(|lane| lane.suspect());
        }
        _ => tracing::warn!(consumer, %error, "kafka: {error}"),
    }
}
