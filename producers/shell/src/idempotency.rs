//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a request that creates something can be repeated
//! without creating it twice.
//!
//! The answer is stored in the transaction of the effect, so either both are there or neither. While a request with a
//! key is running, another with the same key is answered 409 at once (an advisory lock of the transaction says so). The
//! same key with the same body replays status, headers and body; with another body it answers 422. Only successes are
//! stored: a refused or failed request left no effect, and repeating it decides again.

mod fingerprint;
mod header;
mod once;
mod store;
mod sweep;

pub use header::{IdempotencyHeader, IdempotencyKey, Once};
pub(crate) use sweep::keep_sweeping;
pub use sweep::{KEPT, sweep};
