//! Slows down whoever guesses passwords: failures are counted by account and by address.
//!
//! An attempt is counted before the password is looked at and taken back when it was right, so that attempts at the
//! same moment cannot all slip under the limit. Accounts that do not exist are counted in the same way: the answer
//! does not tell which exist.

pub mod decide;
pub mod store;

use std::net::IpAddr;
use std::time::Duration;

use platform::clock::Clock;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

pub use decide::{Limit, Throttled};

/// The two limits.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Failures by account, whoever tries.
    pub account: Limit,
    /// Failures by address, whichever account.
    pub address: Limit,
}

const WINDOW: Duration = Duration::from_mins(15);

impl Default for Limits {
    /// Ten failures by account and a hundred by address (a shop's tills share one) in a quarter of an hour.
    fn default() -> Self {
        Self { account: Limit { attempts: 10, window: WINDOW }, address: Limit { attempts: 100, window: WINDOW } }
    }
}

/// Why an attempt may not go on.
#[derive(Debug, thiserror::Error)]
pub enum ThrottleError {
    /// Answer 429.
    #[error(transparent)]
    Throttled(#[from] Throttled),
    /// The counters could not be reached.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// An attempt that was counted.
pub struct Attempt {
    account: Vec<u8>,
    address: Option<Vec<u8>>,
}

impl Attempt {
    /// Counts an attempt on the account from the address. The address comes first: one that is refused there does
    /// not use up what the account has left.
    pub async fn begin(
        pool: &PgPool,
        limits: &Limits,
        clock: &dyn Clock,
        email: &str,
        address: Option<IpAddr>,
    ) -> Result<Self, ThrottleError> {
        let address = address.map(|address| subject(&network(address)));
        let attempt = Self { account: subject(email), address };
        let now = clock.now();
        let by_address = attempt.address.as_ref().map(|address| ("ADDRESS", address, limits.address));
        let by_account = ("ACCOUNT", &attempt.account, limits.account);
        for (kind, subject, limit) in by_address.into_iter().chain([by_account]) {
            let count = store::count(pool, kind, subject, now, now - limit.window).await?;
            decide::decide(limit, count, now)?;
        }
        Ok(attempt)
    }

    /// The password was right: the account starts afresh. The address gets back this one attempt only, or else an
    /// attacker would sign in with an account of his own from time to time and go on guessing.
    pub async fn succeeded(self, pool: &PgPool) -> sqlx::Result<()> {
        store::forgive(pool, "ACCOUNT", &self.account, i32::MAX).await?;
        match self.address {
            Some(address) => store::forgive(pool, "ADDRESS", &address, 1).await,
            None => Ok(()),
        }
    }
}

/// Hashed, so that the table holds neither addresses nor what was typed into the wrong field.
fn subject(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

/// One subscriber of IPv6 has 2^64 addresses (RFC 6177): the network counts.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_count_together_and_mapped_ipv4_as_ipv4() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:203.0.113.9"), "203.0.113.9");
    }
}
