//! What was written, for whoever looks for its effects.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counts the writes and keeps what they should lead to.
pub(super) struct Ledger {
    /// How many writes there will be.
    pub(super) planned: u64,
    written: AtomicU64,
    effects: Mutex<Effects>,
}

/// What is to be seen in the targets.
#[derive(Debug, Clone, Default)]
pub(super) struct Effects {
    pub(super) merchants: Vec<i64>,
    pub(super) tax_names: Vec<(i64, String)>,
    /// Products, each with the version that its document must have at least.
    pub(super) repriced: Vec<(i64, i64)>,
    pub(super) gone: Vec<i64>,
    pub(super) back: Vec<i64>,
}

impl Ledger {
    pub(super) fn new(planned: usize, effects: Effects) -> Self {
        Self {
            planned: u64::try_from(planned).unwrap_or(u64::MAX),
            written: AtomicU64::new(0),
            effects: Mutex::new(effects),
        }
    }

    /// A write was acknowledged.
    pub(super) fn wrote(&self, note: impl FnOnce(&mut Effects)) {
        note(&mut self.effects.lock().unwrap_or_else(PoisonError::into_inner));
        self.written.fetch_add(1, Ordering::Relaxed);
    }

    /// How many writes were acknowledged.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// What they should lead to, as of now.
    pub(super) fn effects(&self) -> Effects {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
