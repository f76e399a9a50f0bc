//! Notices a partition that stands still away from its end: librdkafka was seen to read nothing more of a partition of
//! which a new leader once said that a position is not to be had, and to say nothing of a topic that was deleted and made
//! again. What no error tells is found by looking: a partition that received nothing for a while is compared with its end,
//! twice, and looks for its place when it stood still between.
//!
//! Where that does not help either, the client is given up and another made. Of a topic that was made again librdkafka takes no
//! metadata while its leaders' epochs are lower than those it knew (2.12.1, `rd_kafka_toppar_leader_update`): a topic
//! whose brokers were ever restarted has higher ones than a new topic, and the broker refuses every fetch that names them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use platform::metric;
use tokio_util::sync::CancellationToken;

use crate::consumer::Consumer;
use crate::turn::Partition;
use crate::worker::Worker;

/// How often partitions are looked at.
const EVERY: Duration = Duration::from_secs(5);
/// How long a partition receives nothing before its end is asked for.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same of one that was helped: that it stood still is known, and one that the help reached moves within a second.
const HELPED_PATIENCE: Duration = Duration::from_secs(5);
/// The longest time between two attempts at one place. A topic that ends in a transaction's marker stands still rightly.
const LONGEST: Duration = Duration::from_mins(10);

/// A partition, by topic and number, of whatever client.
type Numbered = (Arc<str>, i32);

/// Places at which a partition stood still and for which a new client was made; remembered from client to client, because
/// one that stands still rightly would have a new one again and again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Despaired(Arc<Mutex<HashMap<Numbered, i64>>>);

impl Despaired {
    /// True once for a place of a partition.
    fn is_new(&self, topic: &Arc<str>, partition: i32, next: i64) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert((topic.clone(), partition), next) != Some(next)
    }
}

/// What is remembered of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Watch {
    /// The offset that it was to receive next when it was last seen to move.
    next: i64,
    /// When it was last seen to move, or was helped.
    since: Instant,
    /// The broker's end was another place when it was last asked.
    away: bool,
    patience: Duration,
    /// How often it was helped at this place.
    helped: u32,
}

impl Watch {
    fn new(next: i64, now: Instant) -> Self {
        Self { next, since: now, away: false, patience: PATIENCE, helped: 0 }
    }

    /// True when the partition's end is worth asking for.
    fn is_still(&mut self, next: i64, now: Instant) -> bool {
        if next != self.next {
            *self = Self::new(next, now);
        }
        now.saturating_duration_since(self.since) >= self.patience
    }

    /// The broker said where the partition ends. True when it stands still: the broker had more before and none of it came,
    /// or ended before this place, and does so still.
    fn is_stuck(&mut self, end: i64, now: Instant) -> bool {
        let was_away = self.away;
        self.away = end != self.next;
        if !self.away {
            self.since = now;
            return false;
        }
        if was_away {
            let helped = self.helped + 1;
            // the second help is another one than the first, and comes soon
            let patience = match helped {
                1 => HELPED_PATIENCE,
                2 => PATIENCE * 2,
                _ => (self.patience * 2).min(LONGEST),
            };
            *self = Self { since: now, away: false, patience, helped, ..*self };
        }
        was_away
    }
}

/// Looks until `stop`, which it cancels itself where only another client helps.
pub(crate) async fn run<C: Consumer>(worker: Arc<Worker<C>>, despaired: Despaired, stop: CancellationToken) {
    let mut watched: HashMap<Partition, Watch> = HashMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let mut seen = HashMap::new();
        for lane in worker.lanes() {
            let (name, Some(next)) = (lane.name(), lane.stands_at()) else { continue };
            let now = Instant::now();
            let mut watch = watched.remove(&name).unwrap_or_else(|| Watch::new(next, now));
            if watch.is_still(next, now) {
                let asked = lane.clone();
                let end = tokio::task::spawn_blocking(move || asked.ask_end()).await;
                // a broker that is away is waited for
                if let Ok(Ok(end)) = end
                    && lane.stands_at() == Some(next)
                    && watch.is_stuck(end, now)
                {
                    let (consumer, topic, partition) = (worker.name(), &*lane.topic, lane.partition);
                    tracing::warn!(
                        consumer,
                        topic,
                        partition,
                        next,
                        end,
                        "{topic}[{partition}] stands still at {next} although it ends at {end}"
                    );
                    metrics::counter!(metric::CONSUMER_STALLS, "consumer" => consumer).increment(1);
                    if watch.helped > 1 && despaired.is_new(&lane.topic, partition, next) {
                        tracing::warn!(
                            consumer,
                            "to take the place again did not help; {consumer} makes another client"
                        );
                        stop.cancel();
                        return;
                    }
                    lane.suspect();
                }
            }
            seen.insert(name, watch);
        }
        watched = seen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(seconds: u64, since: Instant) -> Instant {
        since + Duration::from_secs(seconds)
    }

    #[test]
    fn a_partition_that_moves_is_left_alone() {
        let began = Instant::now();
        let mut watch = Watch::new(5, began);
        assert!(!watch.is_still(5, later(19, began)));
        assert!(!watch.is_still(6, later(21, began)));
        assert!(!watch.is_still(6, later(40, began)));
        assert!(watch.is_still(6, later(41, began)));
    }

    #[test]
    fn at_its_end_it_is_asked_again_after_a_while() {
        let began = Instant::now();
        let mut watch = Watch::new(5, began);
        let asked = later(20, began);
        assert!(watch.is_still(5, asked));
        assert!(!watch.is_stuck(5, asked));
        assert!(!watch.is_still(5, later(5, asked)));
    }

    #[test]
    fn a_record_that_has_just_come_is_not_a_standstill() {
        let began = Instant::now();
        let mut watch = Watch::new(5, began);
        let asked = later(20, began);
        assert!(watch.is_still(5, asked));
        assert!(!watch.is_stuck(6, asked), "the broker has more, and may have had it for a moment only");
        assert!(!watch.is_still(6, later(5, asked)), "it came");
    }

    #[test]
    fn a_topic_that_ends_before_the_place_was_made_again() {
        let began = Instant::now();
        let mut watch = Watch::new(5, began);
        assert!(!watch.is_stuck(0, later(20, began)), "a new leader may not have caught up yet");
        assert!(watch.is_stuck(2, later(25, began)));
    }

    #[test]
    fn one_that_stood_still_is_helped_at_ever_longer_intervals() {
        let began = Instant::now();
        let mut watch = Watch::new(5, began);
        let (mut now, mut helped) = (began, Vec::new());
        for _ in 0..400 {
            now = later(5, now);
            if watch.is_still(5, now) && watch.is_stuck(9, now) {
                helped.push(now.duration_since(began).as_secs());
            }
        }
        assert_eq!(helped, [25, 35, 80, 165, 330, 655, 1_260, 1_865]);
    }

    #[test]
    fn a_client_is_given_up_once_for_a_place() {
        let (despaired, topic) = (Despaired::default(), Arc::from("t"));
        assert!(despaired.is_new(&topic, 0, 5) && despaired.is_new(&topic, 1, 5));
        assert!(!despaired.clone().is_new(&topic, 0, 5), "another client, the same place");
        assert!(despaired.is_new(&topic, 0, 6));
    }
}
