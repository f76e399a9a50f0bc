//! From start to stop: on SIGTERM a process first says that it is not ready, then stops taking work and finishes what it
//! has, and at a deadline it ends anyway.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Reader;

/// How long the two phases of stopping may take.
#[derive(Debug, Clone, Copy)]
pub struct DrainSettings {
    /// Between "not ready" and refusing new work: as long as the gateway needs to notice. `APP_ENV_UNREADY_MS`.
    pub unready_for: Duration,
    /// From then on, for finishing what is in flight. `APP_ENV_DRAIN_MS`.
    pub deadline: Duration,
}

impl DrainSettings {
    /// Reads the settings; no wait and 10 s by default.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let unready_for = reader.or("APP_ENV_UNREADY_MS", Duration::ZERO, "time between unready and draining");
        let deadline = reader.or("APP_ENV_DRAIN_MS", Duration::from_secs(10), "time to finish what is in flight");
        Some(Self { unready_for: unready_for?, deadline: deadline? })
    }
}

/// The state of stopping, shared by everything in a process. Clones are the same lifecycle.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    unready: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Lifecycle {
    /// Running.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `/readyz` must fail because the process is about to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.unready.load(Ordering::Relaxed) || self.stop.is_cancelled()
    }

    /// Begins to stop: unready at once, draining after `unready_for`.
    pub async fn begin_stop(&self, unready_for: Duration) {
        self.unready.store(true, Ordering::Relaxed);
        tokio::time::sleep(unready_for).await;
        self.stop.cancel();
    }

    /// Cancelled when no new work may be taken.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Waits for SIGTERM or SIGINT, then begins to stop. A second signal stops without waiting.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub async fn stop_on_signal(&self, settings: DrainSettings) -> std::io::Result<()> {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let name = tokio::select! { _ = term.recv() => "SIGTERM", _ = int.recv() => "SIGINT" };
        tracing::info!(signal = name, "{name}: not ready any more, draining");
        tokio::select! {
            () = self.begin_stop(settings.unready_for) => {}
            _ = term.recv() => self.stop.cancel(),
            _ = int.recv() => self.stop.cancel(),
        }
        Ok(())
    }

    /// Waits for `work` to finish, but no longer than `deadline` after the stop. Answers `None` when the deadline
    /// passed first.
    pub async fn finish<T>(&self, work: impl Future<Output = T>, deadline: Duration) -> Option<T> {
        let too_late = async {
            self.stop.cancelled().await;
            tokio::time::sleep(deadline).await;
        };
        tokio::select! {
            output = work => Some(output),
            () = too_late => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn unready_comes_before_the_stop() {
        let lifecycle = Lifecycle::new();
        let stopping = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.begin_stop(Duration::from_secs(5)).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(lifecycle.is_draining() && !lifecycle.stop().is_cancelled());
        stopping.await.unwrap();
        assert!(lifecycle.stop().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_end_is_left_at_the_deadline() {
        let lifecycle = Lifecycle::new();
        lifecycle.stop().cancel();
        let ended = lifecycle.finish(std::future::pending::<()>(), Duration::from_secs(10)).await;
        assert!(ended.is_none());
        assert_eq!(lifecycle.finish(async { 7 }, Duration::from_secs(10)).await, Some(7));
    }
}
