//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential from 100 ms to 15 s, with half of it at random so that partitions do not come back in step.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempt: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(15);

    /// The next wait; at least what the target asked for, at most a minute.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let full = Self::FIRST.saturating_mul(1 << self.attempt.min(16)).min(Self::LONGEST);
        self.attempt += 1;
        let jittered = full / 2 + full.mul_f64(rand::random::<f64>() / 2.0);
        jittered.max(asked.unwrap_or_default()).min(Duration::from_mins(1))
    }

    /// How many waits were asked for.
    #[must_use]
    pub(crate) fn attempts(&self) -> u32 {
        self.attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_never_fall_below_half() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..20).map(|_| backoff.next(None)).collect();
        assert!(waits[0] >= Duration::from_millis(50) && waits[0] <= Duration::from_millis(100));
        assert!(waits[19] >= Backoff::LONGEST / 2 && waits[19] <= Backoff::LONGEST);
        assert_eq!(backoff.attempts(), 20);
    }

    #[test]
    fn what_the_target_asks_for_is_honoured_within_reason() {
        let asked = |seconds| Backoff::default().next(Some(Duration::from_secs(seconds)));
        assert_eq!(asked(30), Duration::from_secs(30));
        assert_eq!(asked(3600), Duration::from_mins(1));
        assert!(Backoff::default().next(None) < Duration::from_secs(1));
    }
}
