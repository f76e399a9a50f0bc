//! A source that was restored to an earlier point: its log positions went back, so what it writes from now on is of a next
//! epoch, which comes after everything of the one before.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgPool};

use crate::execute::Done;
use crate::fleet::Fleet;
use crate::operation::View;
use crate::range::{Retained, retained};

/// How long the workers may take to know of it: they look every few seconds.
const KNOWN_WITHIN: Duration = Duration::from_mins(1);

/// Where the next epoch of a partition begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The first offset that is of it.
    pub from: i64,
    /// Its number.
    pub epoch: i32,
}

/// The next epoch of these topics, which belong to one source: it begins where they end now.
///
/// # Errors
/// When the broker or the control database does not answer.
pub async fn next(control: &PgPool, client: &ClientConfig, topics: Vec<String>) -> anyhow::Result<Vec<Start>> {
    let epoch: i32 = sqlx::query_scalar("select coalesce(max(epoch), 0) + 1 from epoch where topic = any($1)")
        .bind(&topics)
        .fetch_one(control)
        .await?;
    let mut retained = retained(client, topics).await?;
    retained.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    let start = |Retained { topic, partition, end, .. }| Start { topic, partition, from: end, epoch };
    Ok(retained.into_iter().map(start).collect())
}

pub(crate) fn view(service: &str, starts: &[Start]) -> View {
    let epoch = starts.first().map_or(0, |start| start.epoch);
    let mut summary = vec![format!(
        "what {service} writes from now on is of epoch {epoch}, and newer than everything of the epochs before:"
    )];
    summary.extend(
        starts.iter().map(|Start { topic, partition, from, .. }| format!("  {topic}[{partition}] from {from} on")),
    );
    summary.push("its connector must stay stopped until every worker knows of it".to_owned());
    View { facts: json!(starts), summary, commands: Vec::new() }
}

/// Declares it, and waits until every worker that runs knows of it.
///
/// # Errors
/// When the control database does not answer.
pub async fn declare(control: &PgPool, starts: &[Start], reason: &str) -> sqlx::Result<Done> {
    let mut transaction = control.begin().await?;
    for start in starts {
        insert(&mut transaction, start, reason).await?;
    }
    transaction.commit().await?;
    let began = Instant::now();
    loop {
        let ignorant = ignorant(&Fleet::read(control, None).await?, starts);
        if ignorant.is_empty() {
            let done =
                format!("epoch {} begins; every worker that runs knows of it", starts.first().map_or(0, |s| s.epoch));
            return Ok(Done { outcomes: vec![done], complete: true });
        }
        if began.elapsed() > KNOWN_WITHIN {
            let mut outcomes =
                vec!["declared, and not known to these; stop them before the connector goes on".to_owned()];
            outcomes.extend(ignorant);
            return Ok(Done { outcomes, complete: false });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The partitions whose owners do not know of it yet.
fn ignorant(fleet: &Fleet, starts: &[Start]) -> Vec<String> {
    let knows = |topic: &str, partition: i32, epoch: i32| {
        starts.iter().all(|s| s.topic != topic || s.partition != partition || s.epoch == epoch)
    };
    let owned = fleet.0.iter().filter(|o| !knows(&o.standing.topic, o.standing.partition, o.standing.epoch));
    owned.map(|o| format!("{} {}[{}] at {}", o.consumer, o.standing.topic, o.standing.partition, o.host)).collect()
}

async fn insert(connection: &mut PgConnection, start: &Start, reason: &str) -> sqlx::Result<()> {
    sqlx::query("insert into epoch (topic, partition, from_offset, epoch, reason) values ($1, $2, $3, $4, $5)")
        .bind(&start.topic)
        .bind(start.partition)
        .bind(start.from)
        .bind(start.epoch)
        .bind(reason)
        .execute(connection)
        .await?;
    Ok(())
}
