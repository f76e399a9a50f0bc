//! One consumer running in one process: what its partitions have in common, and its start and stop.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak, mpsc};
use std::time::Instant;

use anyhow::Context as _;
use platform::clock::SharedClock;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use schemas::registry::Registry;
use sqlx::PgPool;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::assignment::Assignment;
use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::change::EntityKey;
use crate::consumer::Consumer;
use crate::epoch::Epochs;
use crate::lane::{Lane, Pause};
use crate::parked_keys::ParkedKeys;
use crate::poll::{self, Move};
use crate::settings::Settings;
use crate::stall::{self, Despaired};
use crate::topic::Topic;
use crate::turn::{self, Partition, Turns};
use crate::verdict::{Fault, Verdict};
use crate::{control, parking};

/// What a consumer needs of its surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// Kafka and how much to take at once.
    pub settings: Settings,
    /// The fleet's control database, `backbone`.
    pub control: PgPool,
    /// Schemas by id; share one among the consumers of a process.
    pub registry: Arc<Registry>,
    /// The wall clock, for lag and latency.
    pub clock: SharedClock,
}

/// How many partitions at a time may apply with two hands: each hand is a connection of its own.
const SECOND_HANDS: usize = 2;

/// Partitions by topic and number.
type Lanes<C> = HashMap<Arc<str>, HashMap<i32, Arc<Lane<C>>>>;

pub(crate) type Kafka<C> = BaseConsumer<Assignment<C>>;

/// What the partitions of one consumer in one process have in common.
pub(crate) struct Worker<C: Consumer> {
    pub(crate) consumer: Arc<C>,
    pub(crate) settings: Settings,
    pub(crate) control: PgPool,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: SharedClock,
    pub(crate) parked: Arc<ParkedKeys>,
    pub(crate) topics: HashMap<Arc<str>, Arc<Topic<C::Row>>>,
    pub(crate) epochs: RwLock<Epochs>,
    pub(crate) lanes: RwLock<Lanes<C>>,
    /// Partitions to be taken anew by the polling thread, because they read by epochs of before.
    pub(crate) outdated: Mutex<Vec<Arc<Lane<C>>>>,
    pub(crate) moves: mpsc::Sender<Move<C>>,
    pub(crate) runtime: Handle,
    /// Something happened that an operator wants to see, or wants done: the control round does not wait.
    pub(crate) news: Notify,
    /// Set once the client exists; weak, because the client owns the context that owns this.
    pub(crate) kafka: OnceLock<Weak<Kafka<C>>>,
    parked_in_row: AtomicU32,
    /// What the folds of all partitions may hold together.
    pub(crate) budget: Arc<Budget>,
    /// Who reads while partitions are behind.
    turns: Turns,
    /// Held while a change of turns is carried out.
    turning: Mutex<()>,
    /// The next lane's number.
    next_lane: AtomicU64,
    /// Second hands for partitions that apply much, so that one batch is made while the target writes another.
    pub(crate) hands: Semaphore,
    /// Held while offsets are committed, so that none is committed after an operator's.
    pub(crate) committing: Mutex<()>,
    /// Guards against two rebalances' worth of lanes being made at once.
    pub(crate) assigning: Mutex<()>,
}

impl<C: Consumer> Worker<C> {
    pub(crate) fn name(&self) -> &'static str {
        self.consumer.name()
    }

    /// The client, unless it is being closed.
    pub(crate) fn kafka(&self) -> Option<Arc<Kafka<C>>> {
        self.kafka.get().and_then(Weak::upgrade)
    }

    /// Every partition that is assigned now.
    pub(crate) fn lanes(&self) -> Vec<Arc<Lane<C>>> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.values().flat_map(HashMap::values).cloned().collect()
    }

    /// The partition, if it is assigned now.
    pub(crate) fn lane(&self, topic: &str, partition: i32) -> Option<Arc<Lane<C>>> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.get(topic)?.get(&partition).cloned()
    }

    /// The partition, if the lane that is named has it now.
    fn lane_in_turn(&self, partition: &Partition) -> Option<Arc<Lane<C>>> {
        self.lane(&partition.0, partition.1).filter(|lane| lane.name() == *partition)
    }

    /// Changes whose turn it is, and carries out what that means for the partitions before anybody changes it again: a turn
    /// that was given must not be taken back by the news of before.
    pub(crate) fn turn(&self, decide: impl FnOnce(&Turns) -> turn::Change) {
        let _one_at_a_time = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let mut change = decide(&self.turns);
        loop {
            if let Some(lane) = change.stops.and_then(|partition| self.lane_in_turn(&partition)) {
                lane.pause(Pause::TURN);
            }
            let Some(begins) = change.begins else { return };
            if let Some(lane) = self.lane_in_turn(&begins) {
                lane.unpause(Pause::TURN);
                return;
            }
            // it was revoked while it waited
            change = self.turns.leave(&begins);
        }
    }

    /// A turn that brings nothing goes to the next.
    pub(crate) fn end_barren_turn(&self) {
        let Some(partition) = self.turns.lasting(Instant::now()) else { return };
        match self.lane_in_turn(&partition) {
            Some(lane) if lane.is_barren() => self.turn(|turns| turns.pass(&partition, true)),
            Some(_) => {}
            None => self.turn(|turns| turns.leave(&partition)),
        }
    }

    /// A number that no other lane of this process has.
    pub(crate) fn number_lane(&self) -> u64 {
        self.next_lane.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a parked record; true when too many were parked since one was applied.
    pub(crate) fn parked_one(&self) -> bool {
        self.parked_in_row.fetch_add(1, Ordering::Relaxed) + 1 > self.settings.park_limit
    }

    /// Notes that something was applied.
    pub(crate) fn applied_some(&self) {
        self.parked_in_row.store(0, Ordering::Relaxed);
    }
}

/// Runs a consumer until `stop` is cancelled, then drains: what is being applied is finished and committed, what is not
/// begun is left to whoever comes next. Fails only when it cannot start.
pub async fn run<C: Consumer>(consumer: C, around: Surroundings, stop: CancellationToken) -> anyhow::Result<()> {
    if !platform::postgres::wait_until_ready(&around.control, "backbone", &stop).await {
        return Ok(());
    }
    let (consumer, despaired) = (Arc::new(consumer), Despaired::default());
    while !stop.is_cancelled() {
        run_client(&consumer, &around, &despaired, &stop).await?;
    }
    Ok(())
}

/// Runs it with one Kafka client, until `stop` or until that client is given up.
async fn run_client<C: Consumer>(
    consumer: &Arc<C>,
    around: &Surroundings,
    despaired: &Despaired,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let (consumer, around, name) = (consumer.clone(), around.clone(), consumer.name());
    // a caller that goes away stops the polling thread too
    let stop = stop.child_token();
    let _gone = stop.clone().drop_guard();
    let (moves, requests) = mpsc::channel();
    let topics: HashMap<_, _> = consumer.topics().into_iter().map(|t| (t.name().clone(), Arc::new(t))).collect();
    let names: Vec<String> = topics.keys().map(ToString::to_string).collect();
    let Some((epochs, parked)) = known_before(&around.control, name, &names, &stop).await? else { return Ok(()) };
    let worker = Arc::new(Worker {
        consumer,
        registry: around.registry,
        clock: around.clock,
        parked: Arc::default(),
        epochs: RwLock::new(epochs),
        control: around.control,
        topics,
        lanes: RwLock::default(),
        outdated: Mutex::default(),
        moves,
        runtime: Handle::current(),
        news: Notify::new(),
        kafka: OnceLock::new(),
        parked_in_row: AtomicU32::new(0),
        budget: Budget::of(around.settings.fold_bytes),
        turns: Turns::default(),
        turning: Mutex::new(()),
        next_lane: AtomicU64::new(0),
        hands: Semaphore::new(SECOND_HANDS),
        settings: around.settings,
        committing: Mutex::new(()),
        assigning: Mutex::new(()),
    });
    worker.parked.finish_refresh(parked);

    let kafka = subscribe(&worker, &names)?;
    tracing::info!(consumer = name, group = worker.settings.group, topics = names.join(","), "{name} subscribed");
    let control = tokio::spawn(control::run(worker.clone(), stop.clone()));
    let watching = tokio::spawn(stall::run(worker.clone(), despaired.clone(), stop.clone()));
    let polling = std::thread::Builder::new()
        .name(format!("poll-{name}"))
        .spawn(move || poll::run(&worker, kafka, &requests, &stop))
        .context("cannot start the polling thread")?;
    tokio::task::spawn_blocking(move || polling.join())
        .await?
        .map_err(|_| anyhow::anyhow!("{name}: polling panicked"))?;
    control.await?;
    watching.await?;
    tracing::info!(consumer = name, "{name} stopped");
    Ok(())
}

/// What must be known before the first record: the epochs of the topics, and the entities that are parked. A control
/// database that goes away meanwhile is waited for, because a consumer that gives up here stops its whole process; `None`
/// when `stop` comes first.
async fn known_before(
    control: &PgPool,
    name: &str,
    topics: &[String],
    stop: &CancellationToken,
) -> anyhow::Result<Option<(Epochs, HashSet<EntityKey>)>> {
    let mut backoff = Backoff::default();
    loop {
        let asked = async { Ok((Epochs::read(control, topics).await?, parking::entities(control, name).await?)) };
        let fault: Fault = match asked.await {
            Ok(known) => return Ok(Some(known)),
            Err(fault) => fault,
        };
        if fault.verdict() != Verdict::Retry {
            return Err(fault).context("cannot read the epochs and what is parked");
        }
        tracing::warn!(consumer = name, %fault, "waiting for the control database: {fault}");
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(backoff.next(None)) => {}
        }
    }
}

fn subscribe<C: Consumer>(worker: &Arc<Worker<C>>, topics: &[String]) -> anyhow::Result<Arc<Kafka<C>>> {
    let context = Assignment::new(worker.clone());
    let kafka: Kafka<C> =
        worker.settings.client().create_with_context(context).context("cannot make a Kafka client")?;
    let kafka = Arc::new(kafka);
    // set before the first poll, and rebalances happen inside polls only
    let _ = worker.kafka.set(Arc::downgrade(&kafka));
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    kafka.subscribe(&topics).context("cannot subscribe")?;
    Ok(kafka)
}
