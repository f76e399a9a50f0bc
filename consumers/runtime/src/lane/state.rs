//! What an operator sees a partition do, and its halts.

use std::fmt;

use platform::metric;

use super::{Lane, Pause, lock};
use crate::consumer::Consumer;

/// What an operator sees of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Locating,
    Running,
    Retrying(String),
    Paused,
    Halted(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locating => "locating",
            Self::Running => "running",
            Self::Retrying(_) => "retrying",
            Self::Paused => "paused",
            Self::Halted(_) => "halted",
        })
    }
}

impl<C: Consumer> Lane<C> {
    pub(super) fn halt(&self, reason: String) {
        self.pause(Pause::HALT);
        self.forgo_turn();
        lock(&self.inbox).close();
        let (consumer, topic, partition) = (self.worker.name(), &*self.topic, self.partition);
        tracing::error!(
            consumer,
            topic,
            partition,
            reason,
            "{consumer}: {topic}[{partition}] is halted, and stays so until `sluice resume {consumer}`: {reason}"
        );
        self.set_state(State::Halted(reason));
    }

    pub(super) fn unhalt(&self) {
        self.set_state(State::Locating);
        self.pause(Pause::PLACE);
        self.unpause(Pause::HALT);
    }

    pub(super) fn set_state(&self, state: State) {
        let halted = if matches!(state, State::Halted(_)) { 1.0 } else { 0.0 };
        let kind = std::mem::discriminant(&state);
        let before = std::mem::replace(&mut *lock(&self.state), state);
        if std::mem::discriminant(&before) == kind {
            return;
        }
        metrics::gauge!(metric::CONSUMER_HALTED, self.labels()).set(halted);
        self.worker.news.notify_one();
    }

    pub(crate) fn state(&self) -> State {
        let state = lock(&self.state).clone();
        let paused = *lock(&self.pauses) & Pause::OPERATOR.0 != 0;
        if paused && !matches!(state, State::Halted(_)) { State::Paused } else { state }
    }

    /// An operator asks it to go on: after a pause, or to try again after a halt.
    pub(crate) fn resume(&self) {
        self.unpause(Pause::OPERATOR);
        if matches!(*lock(&self.state), State::Halted(_)) {
            self.restart.notify_one();
        }
    }
}
