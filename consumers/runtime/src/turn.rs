//! Behind a backlog, partitions are read one after another: a fold that spans much of one partition makes many changes of
//! an entity one write, where a little of each would fold nothing. Partitions that are not behind are no part of this.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far from its end a partition is behind enough to wait for its turn, in records.
pub(crate) const FAR: i64 = 5_000;
/// How long a turn may bring nothing before it goes to the next.
const BARREN: Duration = Duration::from_secs(5);

/// A partition as it was assigned once: its topic, its number, and the lane that has it. The number of the lane keeps one
/// that finishes late from giving away the turn of the one that has the partition now.
pub(crate) type Partition = (Arc<str>, i32, u64);

/// Whose turn it is.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    reading: Option<(Partition, Instant)>,
    waiting: VecDeque<Partition>,
}

/// What changes for the partitions: one stops reading, one begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Reads no more, for now.
    pub(crate) stops: Option<Partition>,
    /// May read now.
    pub(crate) begins: Option<Partition>,
}

impl Turns {
    fn with<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A partition is far behind: it reads when its turn comes, which may be now.
    pub(crate) fn enter(&self, partition: &Partition) -> Change {
        self.with(|queue| {
            if queue.is_reading(partition) || queue.waiting.contains(partition) {
                return Change::default();
            }
            queue.waiting.push_back(partition.clone());
            let begins = queue.next();
            let stops = (begins.as_ref() != Some(partition)).then(|| partition.clone());
            Change { stops, begins }
        })
    }

    /// A partition's fold was taken: the next one's turn comes, and this one's again when it is still far behind.
    pub(crate) fn pass(&self, partition: &Partition, again: bool) -> Change {
        self.with(|queue| {
            if !queue.is_reading(partition) {
                return Change::default();
            }
            queue.reading = None;
            if again {
                queue.waiting.push_back(partition.clone());
            }
            let begins = queue.next();
            let keeps = begins.as_ref() == Some(partition);
            Change { stops: (again && !keeps).then(|| partition.clone()), begins: begins.filter(|_| !keeps) }
        })
    }

    /// A partition is gone, halted or paused: it waits for nothing.
    pub(crate) fn leave(&self, partition: &Partition) -> Change {
        self.with(|queue| {
            queue.waiting.retain(|waiting| waiting != partition);
            if queue.is_reading(partition) {
                queue.reading = None;
            }
            Change { stops: None, begins: queue.next() }
        })
    }

    /// The partition whose turn has lasted long. Whether it brought anything is for the caller to see.
    pub(crate) fn lasting(&self, now: Instant) -> Option<Partition> {
        self.with(|queue| {
            let (partition, since) = queue.reading.as_ref()?;
            (now.saturating_duration_since(*since) > BARREN).then(|| partition.clone())
        })
    }
}

impl Queue {
    fn is_reading(&self, partition: &Partition) -> bool {
        self.reading.as_ref().is_some_and(|(reading, _)| reading == partition)
    }

    /// Gives the turn to the next that waits, if nobody has it.
    fn next(&mut self) -> Option<Partition> {
        if self.reading.is_some() {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.reading = Some((next.clone(), Instant::now()));
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> Partition {
        ("t".into(), number, 0)
    }

    fn change(stops: Option<i32>, begins: Option<i32>) -> Change {
        Change { stops: stops.map(partition), begins: begins.map(partition) }
    }

    #[test]
    fn partitions_that_are_behind_read_one_after_another() {
        let turns = Turns::default();
        assert_eq!(turns.enter(&partition(0)), change(None, Some(0)));
        assert_eq!(turns.enter(&partition(1)), change(Some(1), None));
        assert_eq!(turns.enter(&partition(1)), change(None, None));
        assert_eq!(turns.pass(&partition(0), true), change(Some(0), Some(1)));
        assert_eq!(turns.pass(&partition(1), false), change(None, Some(0)));
        assert_eq!(turns.pass(&partition(0), true), change(None, None), "alone, it goes on");
        assert_eq!(turns.pass(&partition(0), false), change(None, None));
    }

    #[test]
    fn one_that_leaves_late_takes_nothing_from_the_next_that_has_the_partition() {
        let turns = Turns::default();
        turns.enter(&partition(0));
        turns.enter(&partition(1));
        let again = ("t".into(), 1, 7);
        assert_eq!(turns.enter(&again), Change { stops: Some(again.clone()), begins: None });
        assert_eq!(turns.leave(&partition(1)), change(None, None));
        assert_eq!(turns.leave(&partition(0)), Change { stops: None, begins: Some(again) });
    }

    #[test]
    fn one_that_leaves_gives_its_turn_away() {
        let turns = Turns::default();
        turns.enter(&partition(0));
        turns.enter(&partition(1));
        turns.enter(&partition(2));
        assert_eq!(turns.leave(&partition(1)), change(None, None));
        assert_eq!(turns.leave(&partition(0)), change(None, Some(2)));
        assert_eq!(turns.lasting(Instant::now()), None);
        assert_eq!(turns.lasting(Instant::now() + BARREN * 2), Some(partition(2)));
    }
}
