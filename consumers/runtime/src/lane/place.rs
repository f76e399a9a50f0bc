//! Moving a partition to another place, and again when the client lost it or went back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::{Lane, Pause, Stop, lock};
use crate::consumer::Consumer;
use crate::inbox::Phase;
use crate::poll::{Move, To};

impl<C: Consumer> Lane<C> {
    /// The client reads from before what is awaited (see [`crate::assignment`]); asks for it to be moved there.
    pub(super) fn move_again(self: &Arc<Self>, seen: i64) {
        if self.moving_again.swap(true, Ordering::Relaxed) {
            return;
        }
        let (consumer, topic, partition, awaited) =
            (self.worker.name(), &*self.topic, self.partition, self.awaited().unwrap_or(-1));
        tracing::warn!(
            consumer,
            topic,
            partition,
            seen,
            awaited,
            "{topic}[{partition}] was read from {seen} although {awaited} is awaited; moving there again"
        );
        let (done, _) = oneshot::channel();
        // the worker ends when nobody listens
        let _ = self.worker.moves.send(Move { lane: self.clone(), to: To::Awaited, done });
    }

    /// The offset that is to be received next; none while nothing is taken.
    pub(crate) fn awaited(&self) -> Option<i64> {
        lock(&self.inbox).awaits()
    }

    /// The polling thread moved the partition there, or found that nothing is awaited.
    pub(crate) fn moved_again(&self) {
        self.moving_again.store(false, Ordering::Relaxed);
    }

    /// The polling thread moved the partition.
    pub(crate) fn moved(&self, offset: i64, phase: Phase, queuing: bool) {
        lock(&self.inbox).open(offset, phase, queuing);
    }

    /// Asks for the partition to be moved and waits until it is. Whatever was received and not applied is forgotten.
    pub(super) async fn move_to(self: &Arc<Self>, offset: i64, phase: Phase, queuing: bool) -> Result<(), Stop> {
        self.pause(Pause::PLACE);
        lock(&self.inbox).close();
        let (done, moved) = oneshot::channel();
        let request = Move { lane: self.clone(), to: To::Place { offset, phase, queuing }, done };
        self.worker.moves.send(request).map_err(|_| Stop::Closing)?;
        tokio::select! {
            () = self.closing.cancelled() => return Err(Stop::Closing),
            moved = moved => moved.map_err(|_| Stop::Closing)?,
        }
        self.unpause(Pause::FULL);
        self.unpause(Pause::PLACE);
        Ok(())
    }
}
