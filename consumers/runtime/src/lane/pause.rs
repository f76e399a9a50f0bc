//! Why a partition is paused, and telling librdkafka so.

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;

use super::{Lane, lock};
use crate::consumer::Consumer;

/// Why a partition is paused; it runs when no reason is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause(pub(super) u8);

impl Pause {
    /// It has not found out where to start, or is being moved.
    pub(crate) const PLACE: Self = Self(1);
    /// It holds as much as it may.
    pub(crate) const FULL: Self = Self(2);
    /// It is halted.
    pub(crate) const HALT: Self = Self(4);
    /// An operator paused it.
    pub(crate) const OPERATOR: Self = Self(8);
    /// It is behind, and another partition's turn.
    pub(crate) const TURN: Self = Self(16);
}

impl<C: Consumer> Lane<C> {
    pub(crate) fn pause(&self, reason: Pause) {
        let mut pauses = lock(&self.pauses);
        let before = *pauses;
        *pauses |= reason.0;
        if before == 0 {
            self.tell_kafka("pause", crate::worker::Kafka::<C>::pause);
        }
    }

    pub(crate) fn unpause(&self, reason: Pause) {
        let mut pauses = lock(&self.pauses);
        let before = *pauses;
        *pauses &= !reason.0;
        if before != 0 && *pauses == 0 {
            self.tell_kafka("resume", crate::worker::Kafka::<C>::resume);
        }
    }

    pub(super) fn is_paused(&self, reason: Pause) -> bool {
        *lock(&self.pauses) & reason.0 != 0
    }

    /// An operator stops it, until [`Lane::resume`].
    pub(crate) fn pause_by_operator(&self) {
        self.pause(Pause::OPERATOR);
        self.forgo_turn();
    }

    /// Waits for no turn, and keeps none from coming to others.
    pub(super) fn forgo_turn(&self) {
        self.worker.turn(|turns| turns.leave(&self.name()));
        self.unpause(Pause::TURN);
    }

    pub(super) fn tell_kafka(
        &self,
        what: &'static str,
        call: impl FnOnce(&crate::worker::Kafka<C>, &TopicPartitionList) -> rdkafka::error::KafkaResult<()>,
    ) {
        if self.is_closing() {
            return;
        }
        let Some(kafka) = self.worker.kafka() else { return };
        let mut partition = TopicPartitionList::new();
        partition.add_partition(&self.topic, self.partition);
        if let Err(error) = call(&kafka, &partition) {
            tracing::warn!(topic = &*self.topic, partition = self.partition, %error, "cannot {what} a partition");
        }
    }
}
