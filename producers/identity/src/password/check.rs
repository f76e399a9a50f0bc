//! Checks passwords off the async threads, a bounded number at once, in the same time whether or not the account
//! exists.

use std::sync::Arc;

use platform::random::SharedRandom;
use tokio::sync::Semaphore;

use super::hash;
use crate::secret;

/// How many callers may wait for their turn, for each that runs. Beyond that the answer is "overloaded" at once:
/// whoever waits longer has given up already.
const WAITING_PER_RUNNING: usize = 16;

/// Too many passwords are being checked: answer 503 with `Retry-After`.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The queue is full.
    #[error("too many passwords are being checked")]
    Overloaded,
    /// The library failed or the runtime is stopping.
    #[error("the password could not be checked")]
    Failed,
}

/// The gate in front of argon2: each check takes 19 MiB and a core for tens of milliseconds, so a flood of sign-ins
/// would otherwise take all memory and every core from everything else.
#[derive(Clone)]
pub struct Checker {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    random: SharedRandom,
    /// What an unknown account's password is compared with. Nobody knows its password.
    nobody: Arc<str>,
}

impl Checker {
    /// Runs `parallel` checks at once.
    pub fn new(parallel: usize, random: SharedRandom) -> Result<Self, hash::HashError> {
        let nobody = hash::hash(&secret::generate(&*random, ""), &*random)?;
        Ok(Self {
            running: Arc::new(Semaphore::new(parallel)),
            admitted: Arc::new(Semaphore::new(parallel * (1 + WAITING_PER_RUNNING))),
            random,
            nobody: nobody.into(),
        })
    }

    /// Whether the password is the account's; `None` is an account that does not exist, which takes as long and is
    /// always false.
    pub async fn verify(&self, password: String, phc: Option<String>) -> Result<bool, CheckError> {
        let known = phc.is_some();
        let phc = phc.unwrap_or_else(|| self.nobody.to_string());
        let matches = self.run(move || hash::verify(&password, &phc)).await?;
        Ok(matches & known)
    }

    /// The password as a PHC string.
    pub async fn hash(&self, password: String) -> Result<String, CheckError> {
        let random = self.random.clone();
        self.run(move || hash::hash(&password, &*random)).await?.map_err(|_| CheckError::Failed)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, CheckError> {
        let _admitted = self.admitted.clone().try_acquire_owned().map_err(|_| CheckError::Overloaded)?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| CheckError::Failed)?;
        let work = move || {
            // The permit goes into the thread: a caller that hangs up does not make room while the work still runs.
            let _running = running;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| CheckError::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checker() -> Checker {
        Checker::new(1, platform::random::SystemRandom::shared()).unwrap()
    }

    #[tokio::test]
    async fn an_unknown_account_is_refused_by_the_same_work() {
        let checker = checker();
        assert!(!checker.verify("bún chả Hà Nội".into(), None).await.unwrap());
        assert!(hash::verify("x", &checker.nobody) == hash::verify("y", &checker.nobody));
        assert!(!hash::is_outdated(&checker.nobody), "an unknown account costs what a known one costs");
    }

    #[tokio::test]
    async fn a_known_account_is_accepted_with_its_password() {
        let checker = checker();
        let phc = checker.hash("bún chả Hà Nội".into()).await.unwrap();
        assert!(checker.verify("bún chả Hà Nội".into(), Some(phc)).await.unwrap());
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_and_not_queued_without_end() {
        let checker = checker();
        let _held = checker.admitted.clone().acquire_many_owned(17).await.unwrap();
        assert!(matches!(checker.verify(String::new(), None).await, Err(CheckError::Overloaded)));
    }
}
