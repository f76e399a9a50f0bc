//! Snowflake ids: 64 bits that grow with time, made without asking anyone.
//!
//! Layout from the top: sign (0), 41 bits of milliseconds since [`EPOCH_MS`], 4 bits of service, 6 bits of replica,
//! 12 bits of sequence. The service's number comes from the table of services; the replica's is given
//! (`APP_ENV_REPLICA_ID`) or leased in Postgres (see [`lease`]).
//!
//! A clock that goes back does no harm while the process runs: the generator goes on from the last millisecond it
//! used, and borrows the next one when the 4,096 numbers of it are used up. Across processes, a lease carries the last
//! millisecond that its holders may have used, and the next holder starts above it.

pub mod lease;

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::SharedClock;

/// 2025-01-01T00:00:00Z in milliseconds since 1970. Ids last until 2094.
pub const EPOCH_MS: i64 = 1_735_689_600_000;

/// How many replicas a service can have at once.
pub const REPLICAS: u8 = 64;

const SEQUENCE_BITS: u32 = 12;
const REPLICA_BITS: u32 = 6;
const NODE_BITS: u32 = 10;
const SEQUENCE_MAX: i64 = (1 << SEQUENCE_BITS) - 1;

/// No replica number is held now, so no id may be made: the database has been out of reach for longer than the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no snowflake replica number is held at the moment; ids are made again once the database is reachable")]
pub struct Unleased;

/// Makes ids for one service. Clones share the state.
#[derive(Clone)]
pub struct Snowflake {
    service: u8,
    clock: SharedClock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    replica: Option<Held>,
    last_ms: i64,
    sequence: i64,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    replica: u8,
    until: Option<tokio::time::Instant>,
}

impl Snowflake {
    /// Makes ids with a replica number that somebody guarantees to be this process's alone.
    #[must_use]
    pub fn fixed(service: u8, replica: u8, clock: SharedClock) -> Self {
        let snowflake = Self::unleased(service, clock);
        snowflake.hold(replica % REPLICAS, None, 0);
        snowflake
    }

    /// Makes no ids until a lease gives it a replica number.
    #[must_use]
    pub fn unleased(service: u8, clock: SharedClock) -> Self {
        let state = State { replica: None, last_ms: 0, sequence: 0 };
        Self { service: service & 0xf, clock, state: Arc::new(Mutex::new(state)) }
    }

    /// The next id: positive, greater than every one before from this process.
    ///
    /// # Errors
    /// [`Unleased`] while no replica number is held.
    pub fn next_id(&self) -> Result<i64, Unleased> {
        let now = self.clock.now_ms();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let held = state.replica.ok_or(Unleased)?;
        if held.until.is_some_and(|until| tokio::time::Instant::now() >= until) {
            return Err(Unleased);
        }
        if now > state.last_ms {
            (state.last_ms, state.sequence) = (now, 0);
        } else if state.sequence < SEQUENCE_MAX {
            state.sequence += 1;
        } else {
            (state.last_ms, state.sequence) = (state.last_ms + 1, 0);
        }
        Ok(self.compose(held.replica, state.last_ms, state.sequence))
    }

    /// Whether ids can be made now, for a readiness check.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.replica.is_some_and(|held| held.until.is_none_or(|until| tokio::time::Instant::now() < until))
    }

    /// Takes a replica number until `until` (for ever when `None`); ids start above `floor_ms`.
    fn hold(&self, replica: u8, until: Option<tokio::time::Instant>, floor_ms: i64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.replica = Some(Held { replica, until });
        if floor_ms > state.last_ms {
            // The sequence is full, so that the next id takes the millisecond after the floor.
            (state.last_ms, state.sequence) = (floor_ms, SEQUENCE_MAX);
        }
    }

    fn let_go(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).replica = None;
    }

    fn last_ms(&self) -> i64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).last_ms
    }

    fn compose(&self, replica: u8, ms: i64, sequence: i64) -> i64 {
        let node = (i64::from(self.service) << REPLICA_BITS) | i64::from(replica);
        ((ms - EPOCH_MS).max(0) << (NODE_BITS + SEQUENCE_BITS)) | (node << SEQUENCE_BITS) | sequence
    }
}

/// The time in an id, in milliseconds since 1970-01-01 UTC.
#[must_use]
pub fn time_ms(id: i64) -> i64 {
    (id >> (NODE_BITS + SEQUENCE_BITS)) + EPOCH_MS
}

/// The service's and the replica's number in an id.
#[must_use]
pub fn node(id: i64) -> (u8, u8) {
    let node = (id >> SEQUENCE_BITS) & 0x3ff;
    (u8::try_from(node >> REPLICA_BITS).unwrap_or(0), u8::try_from(node & 0x3f).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;
    use crate::clock::{Clock, ManualClock, SystemClock};

    #[test]
    fn fifty_nodes_at_once_never_make_the_same_id() {
        const EACH: usize = 10_000;
        let threads: Vec<_> = (0..50)
            .map(|replica| {
                let snowflake = Snowflake::fixed(2, replica, SystemClock::shared());
                std::thread::spawn(move || (0..EACH).map(|_| snowflake.next_id().unwrap()).collect::<Vec<_>>())
            })
            .collect();
        let mut seen = HashSet::new();
        for thread in threads {
            let ids = thread.join().unwrap();
            assert!(ids.is_sorted_by(|one, next| one < next));
            seen.extend(ids);
        }
        assert_eq!(seen.len(), 50 * EACH);
    }

    #[test]
    fn a_clock_that_goes_back_makes_neither_doubles_nor_smaller_ids() {
        let clock = ManualClock::at(datetime!(2026-06-01 12:00 UTC));
        let snowflake = Snowflake::fixed(2, 0, clock.clone());
        let mut ids = Vec::new();
        for step in 0..10_000 {
            if step % 1000 == 500 {
                clock.set(datetime!(2026-06-01 11:00 UTC));
            }
            ids.push(snowflake.next_id().unwrap());
        }
        clock.set(datetime!(2026-06-01 13:00 UTC));
        ids.push(snowflake.next_id().unwrap());
        assert!(ids.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn an_id_tells_its_time_service_and_replica() {
        let clock = ManualClock::at(datetime!(2026-06-01 12:00 UTC));
        let id = Snowflake::fixed(15, 63, clock.clone()).next_id().unwrap();
        assert_eq!((time_ms(id), node(id)), (clock.now_ms(), (15, 63)));
        assert!(id > 0);
    }

    #[test]
    fn a_new_holder_starts_above_what_the_one_before_may_have_used() {
        let clock = ManualClock::at(datetime!(2026-06-01 12:00 UTC));
        let snowflake = Snowflake::unleased(2, clock.clone());
        assert_eq!(snowflake.next_id(), Err(Unleased));
        snowflake.hold(5, None, clock.now_ms() + 60_000);
        assert_eq!(time_ms(snowflake.next_id().unwrap()), clock.now_ms() + 60_001);
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_lease_makes_no_ids() {
        let snowflake = Snowflake::unleased(2, SystemClock::shared());
        snowflake.hold(1, Some(tokio::time::Instant::now() + Duration::from_secs(30)), 0);
        assert!(snowflake.is_leased() && snowflake.next_id().is_ok());
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(!snowflake.is_leased());
        assert_eq!(snowflake.next_id(), Err(Unleased));
    }
}
