//! Notices a partition that stands still away from its end: librdkafka was seen to read nothing more of a partition of
//! which a new leader once said that a position is not to be had, and to say nothing of a topic that was deleted and made
//! again. What no error tells is found by looking: a partition that received nothing for a while is compared with its end,
//! twice, and looks for its place when it stood still between.

use std::collections::HashMap;
use std::sync::Arc;
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
/// The longest time between two attempts at one place. A topic that ends in a transaction's marker stands still rightly.
const LONGEST: Duration = Duration::from_mins(10);

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
}

impl Watch {
    fn new(next: i64, now: Instant) -> Self {
        Self { next, since: now, away: false, patience: PATIENCE }
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
            *self = Self { since: now, away: false, patience: (self.patience * 2).min(LONGEST), ..*self };
        }
        was_away
    }
}

/// Looks until `stop`.
pub(crate) async fn run<C: Consumer>(worker: Arc<Worker<C>>, stop: CancellationToken) {
    let mut watched: HashMap<Partition, Watch> = HashMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let mut seen = HashMap::new();
        for lane in worker.lanes() {
            let (name, Some(next)) = (lane.name(), lane.awaits()) else { continue };
            let now = Instant::now();
            let mut watch = watched.remove(&name).unwrap_or_else(|| Watch::new(next, now));
            if watch.is_still(next, now) {
                let asked = lane.clone();
                let end = tokio::task::spawn_blocking(move || asked.ask_end()).await;
                // a broker that is away is waited for
                if let Ok(Ok(end)) = end
                    && lane.awaits() == Some(next)
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
        assert_eq!(helped, [25, 70, 155, 320, 645, 1_250, 1_855]);
    }
}
