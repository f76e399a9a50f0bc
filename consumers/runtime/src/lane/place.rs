//! Moving a partition to another place, and again when the move is lost.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Lane, Pause, Stop, lock};
use crate::consumer::Consumer;
use crate::inbox::Phase;
use crate::poll::Move;

/// Where and how a partition was placed.
pub(super) struct Placed {
    offset: i64,
    phase: Phase,
    queuing: bool,
}

impl<C: Consumer> Lane<C> {
    /// The last move was lost (see [`crate::assignment`]); asks for it once more.
    pub(super) fn move_again(self: &Arc<Self>, seen: i64) {
        let Some(request) = lock(&self.lost_move).take() else { return };
        let (topic, partition, offset) = (&*self.topic, self.partition, request.offset);
        tracing::warn!(topic, partition, offset, seen, "a move to {offset} was lost; moving again");
        let (done, _) = oneshot::channel();
        let Placed { offset, phase, queuing } = request;
        // the worker ends when nobody listens
        let _ = self.worker.moves.send(Move { lane: self.clone(), offset, phase, queuing, done });
    }

    /// The polling thread moved the partition.
    pub(crate) fn moved(&self, offset: i64, phase: Phase, queuing: bool) {
        *lock(&self.lost_move) = Some(Placed { offset, phase, queuing });
        lock(&self.inbox).open(offset, phase, queuing);
    }

    /// Asks for the partition to be moved and waits until it is. Whatever was received and not applied is forgotten.
    pub(super) async fn move_to(self: &Arc<Self>, offset: i64, phase: Phase, queuing: bool) -> Result<(), Stop> {
        self.pause(Pause::PLACE);
        lock(&self.inbox).close();
        let (done, moved) = oneshot::channel();
        let request = Move { lane: self.clone(), offset, phase, queuing, done };
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
