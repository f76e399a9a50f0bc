//! Randomness, passed in, so that tests repeat.

use std::sync::Arc;

use rand::RngCore;

/// Fills bytes that nobody can guess (the system's) or that repeat (a test's).
pub trait Random: Send + Sync + 'static {
    /// Fills all of it.
    fn fill(&self, bytes: &mut [u8]);
}

/// Randomness that several parts share.
pub type SharedRandom = Arc<dyn Random>;

/// A cryptographically secure generator, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl SystemRandom {
    /// The system's randomness, to hand on.
    #[must_use]
    pub fn shared() -> SharedRandom {
        Arc::new(Self)
    }
}

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
