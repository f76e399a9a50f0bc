//! The settings of identity, beside the shell's.

use std::thread::available_parallelism;
use std::time::Duration;

use platform::config::Reader;
use platform::sealing::Key;

use crate::throttle::{Limit, Limits};

/// What identity reads from its environment.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Seals the private halves of signing keys. `APP_ENV_APPLICATION_SECRET`, 64 hexadecimal digits.
    pub sealing: Key,
    /// Opened with, and sealed anew at the next start, after the secret above was rotated.
    /// `APP_ENV_APPLICATION_SECRET_PREVIOUS`.
    pub previous_sealing: Option<Key>,
    /// Failed sign-ins: `APP_ENV_SIGN_IN_FAILURES_PER_ACCOUNT` (10) and `APP_ENV_SIGN_IN_FAILURES_PER_ADDRESS` (100) in
    /// `APP_ENV_SIGN_IN_WINDOW_MS` (15 min).
    pub limits: Limits,
    /// How many passwords are checked at once, 19 MiB each. `APP_ENV_PASSWORD_CHECKS` (one for each core, at most 4).
    pub password_checks: usize,
    /// How many trusted proxies append to `X-Forwarded-For`; with 0 the peer's address counts. `APP_ENV_FORWARDED_HOPS`
    /// (0; behind nginx and Traefik 2).
    pub forwarded_hops: u8,
}

impl Settings {
    /// Reads the settings.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let defaults = Limits::default();
        let cores = available_parallelism().map_or(1, usize::from).min(4);
        let sealing = reader.key("APP_ENV_APPLICATION_SECRET", "seals signing keys");
        let has_previous = reader.environment().get("APP_ENV_APPLICATION_SECRET_PREVIOUS").is_some();
        let previous_sealing =
            has_previous.then(|| reader.key("APP_ENV_APPLICATION_SECRET_PREVIOUS", "opens what was sealed before"));
        let account = reader.or("APP_ENV_SIGN_IN_FAILURES_PER_ACCOUNT", count(defaults.account), "failures allowed");
        let address = reader.or("APP_ENV_SIGN_IN_FAILURES_PER_ADDRESS", count(defaults.address), "failures allowed");
        let window = reader.or("APP_ENV_SIGN_IN_WINDOW_MS", defaults.account.window, "time in which they count");
        let password_checks = reader.or("APP_ENV_PASSWORD_CHECKS", cores, "passwords checked at once");
        let forwarded_hops = reader.or("APP_ENV_FORWARDED_HOPS", 0_u8, "trusted proxies in front");
        if password_checks == Some(0) {
            reader.fault("APP_ENV_PASSWORD_CHECKS must be at least 1, or nobody can sign in");
        }
        Some(Self {
            sealing: sealing?,
            previous_sealing: match previous_sealing {
                Some(key) => Some(key?),
                None => None,
            },
            limits: Limits { account: limit(account?, window?), address: limit(address?, window?) },
            password_checks: password_checks?,
            forwarded_hops: forwarded_hops?,
        })
    }
}

fn count(limit: Limit) -> u16 {
    u16::try_from(limit.attempts).unwrap_or(u16::MAX)
}

fn limit(attempts: u16, window: Duration) -> Limit {
    Limit { attempts: attempts.into(), window }
}

#[cfg(test)]
mod tests {
    use platform::config::{Environment, Invalid};

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, Invalid> {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let mut reader = Reader::new(&environment);
        let settings = Settings::read(&mut reader);
        reader.finish(settings).map(|(settings, _)| settings)
    }

    #[test]
    fn the_defaults_need_a_secret_only() {
        let secret = "ab".repeat(32);
        let good = read(&[("APP_ENV_APPLICATION_SECRET", &secret)]).unwrap();
        assert_eq!((good.limits.account.attempts, good.forwarded_hops), (10, 0));
        assert!(good.previous_sealing.is_none() && good.password_checks >= 1);
    }

    #[test]
    fn every_fault_names_its_variable() {
        let faults = read(&[
            ("APP_ENV_APPLICATION_SECRET", "short"),
            ("APP_ENV_APPLICATION_SECRET_PREVIOUS", "short"),
            ("APP_ENV_PASSWORD_CHECKS", "0"),
        ])
        .unwrap_err()
        .faults;
        for name in ["APP_ENV_APPLICATION_SECRET", "APP_ENV_APPLICATION_SECRET_PREVIOUS", "APP_ENV_PASSWORD_CHECKS"] {
            assert!(faults.iter().any(|fault| fault.contains(name)), "{name} in {faults:?}");
        }
    }
}
