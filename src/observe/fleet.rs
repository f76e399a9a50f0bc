//! The consumers as the control database and the brokers see them: a consumer that does not run says nothing itself.

use metrics::gauge;
use platform::metric::{CONSUMER_OUT_OF_RANGE, CONSUMER_PARKED_RECORDS, CONSUMER_PARTITIONS};
use replay::position::{Position, positions};
use replay::{Fleet, Owned};
use runtime::parking::Cause;
use tokio::time::timeout;

use super::{Observer, PATIENCE, float};

/// What an owner says of a partition.
const STATES: [&str; 5] = ["locating", "running", "retrying", "paused", "halted"];
/// Why records are parked.
const CAUSES: [Cause; 5] = [Cause::Undecodable, Cause::UnknownSchema, Cause::Refused, Cause::Follows, Cause::Skipped];

/// What lies parked: consumer, cause, how many.
type Parked = Vec<(String, String, i64)>;

impl Observer {
    /// Asks the control database who runs what and what is parked; asks the brokers, when `thoroughly`, about consumers
    /// of which something stands still.
    pub(super) async fn fleet(&self, thoroughly: bool) {
        let asked = self.notes.take("fleet", "", self.clock.now_ms(), self.ask_fleet().await);
        for (consumer, settings) in &self.consumers {
            let name = *consumer;
            let of_consumer = asked.as_ref().map(|(fleet, parked)| (owned_by(fleet, name), parked));
            for state in STATES {
                let count = of_consumer.as_ref().map(|(owned, _)| in_state(owned, state));
                gauge!(CONSUMER_PARTITIONS, "consumer" => name, "state" => state).set(count.map_or(f64::NAN, float));
            }
            for cause in CAUSES.map(Cause::name) {
                let count = of_consumer.as_ref().map(|(_, parked)| aside(parked, name, cause));
                gauge!(CONSUMER_PARKED_RECORDS, "consumer" => name, "cause" => cause)
                    .set(count.map_or(f64::NAN, float));
            }
            let Some((owned, _)) = of_consumer else { continue };
            if !owned.is_empty() && in_state(&owned, "halted") == 0 {
                gauge!(CONSUMER_OUT_OF_RANGE, "consumer" => name).set(0);
            } else if thoroughly {
                self.offsets(name, settings).await;
            }
        }
    }

    async fn ask_fleet(&self) -> anyhow::Result<(Fleet, Parked)> {
        let fleet = Fleet::read(&self.control, None).await?;
        let parked = sqlx::query_as("select consumer, cause, count(*) from parked_change group by 1, 2")
            .fetch_all(&self.control)
            .await?;
        Ok((fleet, parked))
    }

    /// Compares the group's committed offsets with what the topics hold.
    async fn offsets(&self, consumer: &'static str, settings: &runtime::Settings) {
        let asked = timeout(PATIENCE, positions(&self.control, consumer, settings.client())).await;
        let asked = asked.map_err(anyhow::Error::from).and_then(|positions| Ok(positions?));
        let asked = self.notes.take("positions", consumer, self.clock.now_ms(), asked);
        let count = asked.and_then(|positions| {
            let outside = positions.iter().filter(|position| is_out_of_range(position)).count();
            i64::try_from(outside).ok()
        });
        gauge!(CONSUMER_OUT_OF_RANGE, "consumer" => consumer).set(count.map_or(f64::NAN, float));
    }
}

fn owned_by<'f>(fleet: &'f Fleet, consumer: &str) -> Vec<&'f Owned> {
    fleet.0.iter().filter(|owned| owned.consumer == consumer).collect()
}

fn in_state(owned: &[&Owned], state: &str) -> i64 {
    i64::try_from(owned.iter().filter(|owned| owned.standing.state == state).count()).unwrap_or(i64::MAX)
}

fn aside(parked: &Parked, consumer: &str, cause: &str) -> i64 {
    parked.iter().find(|(of, why, _)| of == consumer && why == cause).map_or(0, |(.., count)| *count)
}

fn is_out_of_range(position: &Position) -> bool {
    position.committed.is_none_or(|committed| committed < position.first || committed > position.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(committed: Option<i64>) -> Position {
        Position {
            topic: "t".to_owned(),
            partition: 0,
            committed,
            first: 10,
            end: 20,
            lag: None,
            committed_ms: None,
            first_ms: None,
            owner: None,
        }
    }

    #[test]
    fn an_offset_that_expired_or_that_retention_or_a_new_topic_left_outside_is_out_of_range() {
        for (committed, expected) in
            [(None, true), (Some(9), true), (Some(10), false), (Some(20), false), (Some(21), true)]
        {
            assert_eq!(is_out_of_range(&at(committed)), expected, "{committed:?}");
        }
    }
}
