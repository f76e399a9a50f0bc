//! Behind a backlog: how long a fold grows before it is applied, and whose turn it is to read.

use std::time::{Duration, Instant};

use super::{Lane, Pause, Stop, lock};
use crate::consumer::Consumer;
use crate::fold::Fold;
use crate::turn;

/// While behind, how long a fold may grow before it is applied.
const LINGER: Duration = Duration::from_millis(1_500);
/// The same while much more is known to come.
const LONG_LINGER: Duration = Duration::from_secs(10);
/// While behind, how long without a record means that there are none left.
const LULL: Duration = Duration::from_millis(60);
/// The same while more is known to come: the broker or this machine is busy.
const LONG_LULL: Duration = Duration::from_secs(1);
impl<C: Consumer> Lane<C> {
    /// Behind a backlog it pays to wait for more: many changes of an entity become one write. Nothing waits here when
    /// records are fresh.
    pub(super) async fn linger(&self) -> Result<(), Stop> {
        let began = Instant::now();
        let (mut seen, mut grew) = (0, began);
        loop {
            let Some((records, next)) = self.lagging() else { return Ok(()) };
            if records != seen {
                (seen, grew) = (records, Instant::now());
            }
            let more = self.end_offset() - next;
            let (longest, lull) = if more > turn::FAR { (LONG_LINGER, LONG_LULL) } else { (LINGER, LULL) };
            if more == 0 || began.elapsed() > longest {
                return Ok(());
            }
            if self.is_paused(Pause::FULL) {
                if self.holds_most() {
                    return Ok(());
                }
                grew = Instant::now();
                if self.worker.budget.has_room() {
                    self.unpause(Pause::FULL);
                }
            } else if grew.elapsed() > lull {
                return Ok(());
            }
            tokio::select! {
                () = self.closing.cancelled() => return Err(Stop::Closing),
                () = self.ripe.notified() => {}
                () = self.worker.budget.released() => {}
                () = tokio::time::sleep(LULL) => {}
            }
        }
    }

    /// How many records were folded and which offset comes next, while those records are old.
    fn lagging(&self) -> Option<(u64, i64)> {
        let inbox = lock(&self.inbox);
        let (next, _) = inbox.fold.end.filter(|_| !inbox.queuing)?;
        let age_ms = self.worker.clock.now_ms() - inbox.fold.last_record_ms;
        let behind_ms = i64::try_from(self.worker.settings.behind.as_millis()).unwrap_or(i64::MAX);
        (age_ms > behind_ms).then_some((inbox.fold.records, next))
    }

    /// True when the budget is spent mostly on what waits here, so that no other partition will make room for it.
    fn holds_most(&self) -> bool {
        lock(&self.inbox).fold.bytes * 2 >= self.worker.budget.held()
    }

    /// Waits for its turn, if it is far behind.
    pub(super) fn await_turn(&self, next: i64) {
        if self.end_offset() - next > turn::FAR {
            self.worker.turn(|turns| turns.enter(&self.name()));
        }
    }

    /// Lets the next partition read while this one applies.
    pub(super) fn pass_turn(&self, fold: &Fold<C::Row>) {
        let Some((next, _)) = fold.end else { return };
        let again = self.end_offset() - next > turn::FAR;
        self.worker.turn(|turns| turns.pass(&self.name(), again));
        self.await_turn(next);
    }
}
