//! Whether an attempt may go on: pure.

use std::time::Duration;

use time::OffsetDateTime;

/// How many failures are allowed in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Failures allowed.
    pub attempts: i32,
    /// Counted from the first.
    pub window: Duration,
}

/// What was counted, this attempt included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Count {
    /// Attempts in the window.
    pub attempts: i32,
    /// When the window began.
    pub window_started_at: OffsetDateTime,
}

/// Too many: come back after this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failed attempts")]
pub struct Throttled {
    /// At least a second, at most the window.
    pub retry_after: Duration,
}

/// The attempt that makes the count exceed the limit is refused, and so are those after it, until the window ends.
pub fn decide(limit: Limit, count: Count, now: OffsetDateTime) -> Result<(), Throttled> {
    if count.attempts <= limit.attempts {
        return Ok(());
    }
    let left = count.window_started_at + limit.window - now;
    let left = Duration::try_from(left).unwrap_or_default();
    Err(Throttled { retry_after: left.clamp(Duration::from_secs(1), limit.window) })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const LIMIT: Limit = Limit { attempts: 3, window: Duration::from_mins(15) };
    const START: OffsetDateTime = datetime!(2026-11-21 08:00 UTC);

    fn after(attempts: i32, seconds: u64) -> Result<(), Throttled> {
        decide(LIMIT, Count { attempts, window_started_at: START }, START + Duration::from_secs(seconds))
    }

    #[test]
    fn the_limit_itself_is_allowed_and_one_more_is_not() {
        assert_eq!(after(3, 10), Ok(()));
        assert_eq!(after(4, 10), Err(Throttled { retry_after: Duration::from_secs(890) }));
    }

    #[test]
    fn the_wait_is_never_zero_and_never_longer_than_the_window() {
        assert_eq!(after(4, 5_000), Err(Throttled { retry_after: Duration::from_secs(1) }));
        let early = decide(LIMIT, Count { attempts: 4, window_started_at: START }, START - Duration::from_mins(1));
        assert_eq!(early, Err(Throttled { retry_after: LIMIT.window }), "a clock that went back");
    }
}
