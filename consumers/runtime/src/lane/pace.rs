//! How fast a partition is applied when it is behind: what tells an operator how long a rewind takes.

use std::time::Duration;

/// A fold of fewer records says how they arrived, and not how fast they could have been applied.
const TELLING: u64 = 100;
/// What the folds before count beside a new one: the last ten or so decide.
const KEPT: f64 = 0.9;

/// Records and the time that they took, the older the less.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    records: f64,
    seconds: f64,
}

impl Pace {
    /// Notes that a fold of so many records was applied in one go.
    pub(crate) fn note(&mut self, records: u64, took: Duration) {
        if records < TELLING {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "records of one fold, far below 2^53")]
        let records = records as f64;
        self.records = self.records * KEPT + records;
        self.seconds = self.seconds * KEPT + took.as_secs_f64();
    }

    /// Records a second; none before it was behind.
    pub(crate) fn per_second(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.records / self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_says_nothing_and_the_last_backlog_most() {
        let mut pace = Pace::default();
        pace.note(1, Duration::from_millis(10));
        assert_eq!(pace.per_second(), None);
        pace.note(1_000, Duration::from_secs(1));
        assert_eq!(pace.per_second(), Some(1_000.0));
        for _ in 0..30 {
            pace.note(4_000, Duration::from_secs(1));
        }
        let now = pace.per_second().unwrap();
        assert!((3_800.0..4_000.0).contains(&now), "{now}");
    }
}
