//! How much memory the folds of a consumer hold together: what is being filled and what is being applied.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The budget of one consumer in one process, shared by its partitions.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    held: AtomicUsize,
    released: Notify,
}

impl Budget {
    /// A budget of about `limit` bytes.
    #[must_use]
    pub fn of(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0), released: Notify::new() })
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// True when no more should be taken in.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.held() > self.limit
    }

    /// True when so much is free again that going on is worth it: a partition that is paused and resumed for a few
    /// records fetches more than it reads.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.held() <= self.limit - self.limit / 4
    }

    /// Waits until something was released.
    pub async fn released(&self) {
        self.released.notified().await;
    }
}

/// A part of a budget. What it holds is released with it.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// A share that holds nothing yet.
    #[must_use]
    pub fn of(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// The budget that it is a share of.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// How much it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes it hold `bytes`.
    pub fn set(&mut self, bytes: usize) {
        if bytes >= self.bytes {
            self.budget.held.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            self.budget.held.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.budget.released.notify_waiters();
        }
        self.bytes = bytes;
    }

    /// Takes what it holds over into another share, and is left with nothing.
    #[must_use]
    pub fn take(&mut self) -> Self {
        Self { budget: self.budget.clone(), bytes: std::mem::take(&mut self.bytes) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shares_hold_counts_together_and_is_released_with_them() {
        let budget = Budget::of(100);
        let (mut filling, mut other) = (Share::of(budget.clone()), Share::of(budget.clone()));
        filling.set(90);
        other.set(20);
        assert!(budget.is_spent() && !budget.has_room());
        let applying = filling.take();
        assert_eq!((filling.bytes(), applying.bytes(), budget.held()), (0, 90, 110));
        drop(applying);
        assert_eq!(budget.held(), 20);
        assert!(!budget.is_spent() && budget.has_room());
    }
}
