//! The fleet's control database: commands are carried out by the partition's owner, and the owner says where it stands.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::postgres::PgListener;
use sqlx::{PgExecutor, Row as _};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use platform::metric;

use crate::consumer::Consumer;
use crate::epoch::Epochs;
use crate::lane::{Lane, Order, Ordered, State};
use crate::parking;
use crate::worker::Worker;

/// How often the control database is asked and told, when no notification comes first.
const EVERY: Duration = Duration::from_secs(5);
/// Workers that were not heard of for this long are forgotten.
const FORGET_AFTER: &str = "1 hour";

/// Runs until `stop`. With the control database down, consumers go on with what they know; commands wait.
pub(crate) async fn run<C: Consumer>(worker: Arc<Worker<C>>, stop: CancellationToken) {
    let id = format!("{}-{}-{:08x}", worker.name(), std::process::id(), rand::random::<u32>());
    let listening = tokio::spawn(listen(worker.clone(), stop.clone()));
    let mut silent = false;
    // given to a partition, and not carried out yet
    let given = Arc::<Mutex<HashSet<i64>>>::default();
    while !stop.is_cancelled() {
        // In a task of its own, and never cancelled: see `platform::postgres`.
        let round = tokio::spawn({
            let (worker, id, given) = (worker.clone(), id.clone(), given.clone());
            async move { round(&worker, &id, &given).await }
        });
        match round.await {
            Ok(Ok(())) => silent = false,
            Ok(Err(error)) if !silent => {
                silent = true;
                tracing::warn!(consumer = worker.name(), %error, "the control database does not answer; going on without");
            }
            Ok(Err(_)) => {}
            Err(error) => tracing::error!(consumer = worker.name(), %error, "a control round failed"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = worker.news.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    listening.abort();
    let forgotten = sqlx::query("delete from worker where id = $1").bind(&id).execute(&worker.control).await;
    if let Err(error) = forgotten {
        tracing::debug!(%error, "could not take the worker's row away");
    }
}

/// Waits for notifications on a connection of its own; a missed one is made good by the next round.
async fn listen<C: Consumer>(worker: Arc<Worker<C>>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Ok(mut listener) = PgListener::connect_with(&worker.control).await
            && listener.listen("command").await.is_ok()
        {
            while let Ok(notification) = listener.recv().await {
                if notification.payload() == worker.name() {
                    worker.news.notify_one();
                }
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn round<C: Consumer>(worker: &Arc<Worker<C>>, id: &str, given: &Arc<Mutex<HashSet<i64>>>) -> sqlx::Result<()> {
    for command in open(&worker.control, worker.name()).await? {
        let Some(lane) = worker.lane(&command.topic, command.partition) else { continue };
        let outcome = match command.verb.as_str() {
            "pause" => {
                lane.pause_by_operator();
                note_paused(&worker.control, worker.name(), &command).await?;
                "paused".to_owned()
            }
            "resume" => {
                note_resumed(&worker.control, worker.name(), &command).await?;
                lane.resume();
                "resumed".to_owned()
            }
            _ => match command.order() {
                Ok(order) => {
                    give(worker, &lane, order, &command, id, given);
                    continue;
                }
                Err(error) => format!("refused: {error}"),
            },
        };
        tracing::info!(
            consumer = worker.name(),
            command = command.id,
            verb = command.verb,
            outcome,
            "a command was carried out"
        );
        finish(&worker.control, command.id, id, &outcome).await?;
    }
    learn_epochs(worker).await?;
    worker.parked.begin_refresh();
    let parked = parking::entities(&worker.control, worker.name()).await?;
    worker.parked.finish_refresh(parked);
    #[expect(clippy::cast_precision_loss, reason = "a gauge; far below 2^53")]
    metrics::gauge!(metric::CONSUMER_PARKED_ENTITIES, "consumer" => worker.name()).set(worker.parked.len() as f64);
    report(worker, id).await
}

/// Takes over the epochs that an operator declared since. Partitions that they are of are taken anew: a lane reads by one set.
async fn learn_epochs<C: Consumer>(worker: &Arc<Worker<C>>) -> sqlx::Result<()> {
    let topics: Vec<String> = worker.topics.keys().map(ToString::to_string).collect();
    let epochs = Epochs::read(&worker.control, &topics).await?;
    let mut outdated = worker.lanes();
    outdated.retain(|lane| *lane.epochs() != epochs.of_partition(&lane.topic, lane.partition));
    *worker.epochs.write().unwrap_or_else(PoisonError::into_inner) = epochs;
    if !outdated.is_empty() {
        tracing::info!(consumer = worker.name(), partitions = outdated.len(), "an epoch was declared");
        worker.outdated.lock().unwrap_or_else(PoisonError::into_inner).extend(outdated);
    }
    Ok(())
}

/// Gives an order to its partition, once, and writes the outcome when it comes. A partition that is revoked first leaves
/// the command open for its next owner.
fn give<C: Consumer>(
    worker: &Arc<Worker<C>>,
    lane: &Arc<Lane<C>>,
    order: Order,
    command: &Command,
    by: &str,
    given: &Arc<Mutex<HashSet<i64>>>,
) {
    let (id, by) = (command.id, by.to_owned());
    if !given.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
        return;
    }
    let (done, outcome) = oneshot::channel();
    lane.order(Ordered { order, reason: command.reason.clone(), done });
    let (worker, given) = (worker.clone(), given.clone());
    tokio::spawn(async move {
        if let Ok(outcome) = outcome.await
            && let Err(error) = finish(&worker.control, id, &by, &outcome).await
        {
            tracing::warn!(consumer = worker.name(), command = id, outcome, %error, "cannot write a command's outcome");
        }
        given.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        worker.news.notify_one();
    });
}

/// A command for one partition.
struct Command {
    id: i64,
    topic: String,
    partition: i32,
    verb: String,
    arguments: Value,
    reason: String,
}

impl Command {
    /// The order in it.
    fn order(&self) -> Result<Order, serde_json::Error> {
        let mut order = self.arguments.clone();
        if let Value::Object(members) = &mut order {
            members.insert("verb".to_owned(), self.verb.clone().into());
        }
        serde_json::from_value(order)
    }
}

async fn open(executor: impl PgExecutor<'_>, consumer: &str) -> sqlx::Result<Vec<Command>> {
    let rows = sqlx::query(
        "select id, topic, partition, verb, arguments, reason from command
          where consumer = $1 and finished_at is null and topic is not null and partition is not null order by id",
    )
    .bind(consumer)
    .fetch_all(executor)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Command {
                id: row.try_get("id")?,
                topic: row.try_get("topic")?,
                partition: row.try_get("partition")?,
                verb: row.try_get("verb")?,
                arguments: row.try_get("arguments")?,
                reason: row.try_get("reason")?,
            })
        })
        .collect()
}

async fn finish(executor: impl PgExecutor<'_>, id: i64, by: &str, outcome: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update command set finished_at = now(), finished_by = $2, outcome = $3 where id = $1 and finished_at is null",
    )
    .bind(id)
    .bind(by)
    .bind(outcome)
    .execute(executor)
    .await?;
    Ok(())
}

async fn note_paused(executor: impl PgExecutor<'_>, consumer: &str, command: &Command) -> sqlx::Result<()> {
    sqlx::query(
        "insert into paused_partition (consumer, topic, partition, reason) values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind(consumer)
    .bind(&command.topic)
    .bind(command.partition)
    .bind(&command.reason)
    .execute(executor)
    .await?;
    Ok(())
}

async fn note_resumed(executor: impl PgExecutor<'_>, consumer: &str, command: &Command) -> sqlx::Result<()> {
    sqlx::query("delete from paused_partition where consumer = $1 and topic = $2 and partition = $3")
        .bind(consumer)
        .bind(&command.topic)
        .bind(command.partition)
        .execute(executor)
        .await?;
    Ok(())
}

/// Says where this worker stands, and forgets workers that were not heard of for long.
async fn report<C: Consumer>(worker: &Arc<Worker<C>>, id: &str) -> sqlx::Result<()> {
    let partitions: Vec<_> = worker
        .lanes()
        .iter()
        .map(|lane| {
            let state = lane.state();
            let (lag_records, lag_seconds) = lane.lag();
            let reason = match &state {
                State::Halted(reason) | State::Retrying(reason) => Some(reason.clone()),
                _ => None,
            };
            json!({
                "topic": &*lane.topic, "partition": lane.partition, "state": state.to_string(), "reason": reason,
                "next_offset": lane.next_offset(), "end_offset": lane.end_offset(),
                "lag_records": lag_records, "lag_seconds": lag_seconds, "epoch": lane.epochs().last(),
                "records_per_second": lane.per_second(),
            })
        })
        .collect();
    sqlx::query(
        "insert into worker (id, consumer, host, pid, partitions) values ($1, $2, $3, $4, $5)
         on conflict (id) do update set seen_at = now(), partitions = excluded.partitions",
    )
    .bind(id)
    .bind(worker.name())
    .bind(host())
    .bind(i32::try_from(std::process::id()).unwrap_or_default())
    .bind(sqlx::types::Json(partitions))
    .execute(&worker.control)
    .await?;
    sqlx::query("delete from worker where seen_at < now() - $1::interval")
        .bind(FORGET_AFTER)
        .execute(&worker.control)
        .await?;
    Ok(())
}

/// The machine's name as the kernel knows it; a pod's name in Kubernetes.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}
