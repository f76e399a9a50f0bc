//! The time, passed in, so that tests move it.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// Tells the wall-clock time in UTC. It may go back.
pub trait Clock: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// Now, in milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64 {
        let millis = self.now().unix_timestamp_nanos() / 1_000_000;
        i64::try_from(millis).unwrap_or(i64::MAX)
    }
}

/// A time as an operator reads it, in UTC to the second: `2026-11-22 00:12:27Z`.
#[must_use]
pub fn told(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    time.to_offset(UtcOffset::UTC).format(format).unwrap_or_else(|_| time.to_string())
}

/// A clock that several parts share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock, to hand on.
    #[must_use]
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<OffsetDateTime>);

impl ManualClock {
    /// Stands at this time.
    #[must_use]
    pub fn at(now: OffsetDateTime) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now)))
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += by;
    }

    /// Moves anywhere, back too.
    pub fn set(&self, now: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_told_the_same_way_at_every_hour_and_in_every_zone() {
        assert_eq!(told(datetime!(2026-11-22 0:12:07.4305 UTC)), "2026-11-22 00:12:07Z");
        assert_eq!(told(datetime!(2026-11-22 0:12:07 +7)), "2026-11-21 17:12:07Z");
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(datetime!(2026-01-01 00:00 UTC));
        assert_eq!(clock.now_ms(), 1_767_225_600_000);
        clock.advance(Duration::from_millis(5));
        assert_eq!(clock.now_ms(), 1_767_225_600_005);
        clock.set(datetime!(2025-01-01 00:00 UTC));
        assert_eq!(clock.now(), datetime!(2025-01-01 00:00 UTC));
    }
}
