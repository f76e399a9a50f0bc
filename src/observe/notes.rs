//! Which questions were answered: counted, dated, and logged when that changes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use metrics::{counter, gauge};
use platform::metric::{OBSERVE_FAILURES, OBSERVE_LAST_SUCCESS};

/// What became of each question the last time.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<BTreeMap<(&'static str, String), bool>>);

impl Notes {
    /// Notes what became of a question, and hands the answer on.
    pub(super) fn take<T>(
        &self,
        what: &'static str,
        service: &str,
        now_ms: i64,
        asked: anyhow::Result<T>,
    ) -> Option<T> {
        let labels = [("what", what.to_owned()), ("service", service.to_owned())];
        let last = gauge!(OBSERVE_LAST_SUCCESS, &labels);
        // by nothing: so that a question that was never answered is seen from the first failure on
        last.increment(0.0);
        let before = {
            let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            notes.insert((what, service.to_owned()), asked.is_ok())
        };
        match asked {
            Ok(answer) => {
                last.set(super::float(now_ms / 1000));
                if before == Some(false) {
                    tracing::info!(what, service, "{what} {service} answers again");
                }
                Some(answer)
            }
            Err(error) => {
                counter!(OBSERVE_FAILURES, &labels).increment(1);
                if before != Some(false) {
                    tracing::warn!(what, service, "{what} {service} cannot be observed: {error:#}");
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_without_an_answer_is_counted_and_dated_zero_and_an_answer_is_handed_on() {
        let metrics = platform::telemetry::install_metrics().unwrap();
        let notes = Notes::default();
        assert_eq!(notes.take::<()>("slot", "notes-test", 7_000, Err(anyhow::anyhow!("down"))), None);
        let seen = metrics.render();
        let labels = r#"{what="slot",service="notes-test"}"#;
        assert!(seen.contains(&format!("{OBSERVE_FAILURES}{labels} 1")), "{seen}");
        assert!(seen.contains(&format!("{OBSERVE_LAST_SUCCESS}{labels} 0")), "{seen}");
        assert_eq!(notes.take("slot", "notes-test", 7_000, Ok(1)), Some(1));
        assert!(metrics.render().contains(&format!("{OBSERVE_LAST_SUCCESS}{labels} 7")));
    }
}
