//! Keeping keys and policies fresh: every 30 seconds, and when Redis says that they changed.

use std::sync::Arc;
use std::time::Duration;

use platform::cache_key;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Gate;

const EVERY: Duration = Duration::from_secs(30);
/// While nothing was ever held.
const AT_FIRST: Duration = Duration::from_secs(1);

impl Gate {
    /// Refreshes until `stop`. Run it as a task.
    pub async fn keep_fresh(self: Arc<Self>, stop: CancellationToken) {
        let changed = Arc::new(Notify::new());
        let listening = tokio::spawn({
            let (gate, changed, stop) = (self.clone(), changed.clone(), stop.clone());
            async move {
                // A message and a new connection mean the same: look whether something changed.
                gate.cache.subscribe(cache_key::AUTHZ_CHANNEL, stop, |_| changed.notify_one()).await;
            }
        });
        let mut failures = 0_u32;
        while !stop.is_cancelled() {
            self.read_generation().await;
            let refreshed = tokio::select! {
                () = stop.cancelled() => break,
                refreshed = self.refresh() => refreshed,
            };
            match refreshed {
                Ok(()) => failures = 0,
                Err(error) => {
                    // Identity may start after us; once a minute is enough to say so.
                    if failures.is_multiple_of(if self.has_policies() { 2 } else { 60 }) {
                        tracing::warn!(%error, held = self.has_policies(), "could not refresh keys and policies");
                    }
                    failures += 1;
                }
            }
            let pause = if self.has_policies() { EVERY } else { AT_FIRST };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                () = changed.notified() => {}
            }
        }
        listening.abort();
    }

    async fn read_generation(&self) {
        let stored = self.cache.get(cache_key::AUTHZ_GENERATION).await;
        let generation = stored.and_then(|text| text.parse().ok());
        if let Some(generation) = generation.filter(|generation| self.note_generation(*generation)) {
            tracing::debug!(generation, "policies are of generation {generation}");
        }
    }
}
