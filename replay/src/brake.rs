//! A replay yields: to a rate that an operator set, and to the live group when it falls behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::fleet::Fleet;

/// The live group may be this much older than at the beginning, in seconds, before the replay waits for it.
const SLACK_SECONDS: f64 = 5.0;
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// When the next chunk may be applied.
pub(crate) struct Brake {
    /// Records a second; as fast as possible when there is none.
    rate: Option<u32>,
    free_at: Mutex<Instant>,
    held: AtomicBool,
}

impl Brake {
    pub(crate) fn new(rate: Option<u32>) -> Self {
        Self { rate, free_at: Mutex::new(Instant::now()), held: AtomicBool::new(false) }
    }

    /// Waits for the turn of so many records.
    pub(crate) async fn pass(&self, records: u64) {
        while self.held.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_EVERY / 4).await;
        }
        let Some(rate) = self.rate.filter(|rate| *rate > 0) else { return };
        let mut free_at = self.free_at.lock().await;
        tokio::time::sleep_until(*free_at).await;
        #[expect(clippy::cast_precision_loss, reason = "a chunk has far fewer than 2^52 records")]
        let takes = Duration::from_secs_f64(records as f64 / f64::from(rate));
        *free_at = (*free_at).max(Instant::now()) + takes;
    }

    /// Looks at the live group's lag once a second, for ever.
    pub(crate) async fn watch(&self, control: &PgPool, consumer: &str) {
        let mut at_first = None;
        loop {
            // a control database that does not answer says nothing of the lag
            if let Ok(fleet) = Fleet::read(control, Some(consumer)).await {
                let lag = fleet.0.iter().map(|owned| owned.standing.lag_seconds).fold(0.0, f64::max);
                let allowed = *at_first.get_or_insert(lag) + SLACK_SECONDS;
                if self.held.swap(lag > allowed, Ordering::Relaxed) != (lag > allowed) {
                    tracing::info!(
                        consumer,
                        lag,
                        allowed,
                        "the live group is {lag:.1} s behind; {allowed:.1} s are allowed"
                    );
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept_and_no_rate_waits_for_nothing() {
        let (brake, began) = (Brake::new(Some(100)), Instant::now());
        for _ in 0..5 {
            brake.pass(50).await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(2));
        let began = Instant::now();
        Brake::new(None).pass(1_000_000).await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
