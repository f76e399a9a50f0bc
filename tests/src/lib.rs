//! What an end-to-end test does: writes to the real source, runs real processes, looks at real targets.

pub mod process;
pub mod source;

use std::time::Duration;

/// Asks until the answer is this one, for a minute; fails with the last answer otherwise.
///
/// # Panics
/// When the answer never comes.
pub async fn eventually<T, F>(what: &str, expected: T, mut ask: impl FnMut() -> F)
where
    T: PartialEq + std::fmt::Debug,
    F: Future<Output = T>,
{
    let mut seen = ask().await;
    for _ in 0..600 {
        if seen == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        seen = ask().await;
    }
    assert_eq!(seen, expected, "{what} never came to be so");
}
