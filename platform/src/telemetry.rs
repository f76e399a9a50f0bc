//! Being seen: log lines on stdout and metrics for the operations port.
//!
//! Lines are JSON when stdout is not a terminal, else made for eyes; `APP_ENV_LOG_FORMAT` (`json` or `human`) decides
//! where it is set, `APP_ENV_LOG` (or `RUST_LOG`) filters. In JSON every field of every open span is on the line's top
//! level, so `requestId`, `userId`, `merchantId` and `service` are on every line that is written on behalf of a request.

mod json_lines;

use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock, PoisonError};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{Environment, Invalid, Reader};
use crate::metric;

pub use json_lines::JsonLines;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Human,
}

/// How the process is seen.
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// How log lines are written. `APP_ENV_LOG_FORMAT`.
    pub format: Format,
    /// Which lines are written, in `tracing`'s filter language. `APP_ENV_LOG`, else `RUST_LOG`, else `info`.
    pub filter: String,
}

impl TelemetrySettings {
    /// Reads the settings.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let given = reader.environment().get("APP_ENV_LOG").or_else(|| reader.environment().get("RUST_LOG"));
        let filter = given.unwrap_or("info").to_owned();
        if EnvFilter::try_new(&filter).is_err() {
            reader.fault("APP_ENV_LOG is not a log filter such as `info` or `info,sqlx=warn`");
        }
        let format = match reader.environment().get("APP_ENV_LOG_FORMAT") {
            Some("human") => Format::Human,
            None if std::io::stdout().is_terminal() => Format::Human,
            Some("json") | None => Format::Json,
            Some(_) => {
                reader.fault("APP_ENV_LOG_FORMAT is neither json nor human");
                return None;
            }
        };
        Some(Self { format, filter })
    }

    /// Reads the settings from an environment of their own.
    ///
    /// # Errors
    /// Every fault.
    pub fn from_environment(environment: &Environment) -> Result<Self, Invalid> {
        let mut reader = Reader::new(environment);
        let settings = Self::read(&mut reader);
        reader.finish(settings).map(|(settings, _)| settings)
    }
}

/// Begins to write log lines. Only the first call in a process counts.
pub fn install_logs(settings: &TelemetrySettings) {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = match settings.format {
        Format::Json => JsonLines::new(std::io::stdout).boxed(),
        Format::Human => tracing_subscriber::fmt::layer().compact().with_target(false).boxed(),
    };
    // An error means that a subscriber is there already, in a test or in a process with several services.
    drop(tracing_subscriber::registry().with(layer.with_filter(filter)).try_init());
}

/// Installs the process's metrics recorder, once; later calls answer the same handle.
///
/// # Errors
/// When something else installed a recorder.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), metric::SECONDS)?
        .install_recorder()?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorder_is_installed_once_and_shared() {
        let (first, second) = (install_metrics().unwrap(), install_metrics().unwrap());
        metrics::counter!(metric::HTTP_REQUESTS, "service" => "telemetry-test").increment(3);
        for handle in [first, second] {
            assert!(handle.render().contains("http_requests_total{service=\"telemetry-test\"} 3"));
        }
    }

    #[test]
    fn a_wrong_format_or_filter_is_refused() {
        let environment = Environment::from_pairs([("APP_ENV_LOG_FORMAT", "xml"), ("APP_ENV_LOG", "a=b=c")]);
        assert_eq!(TelemetrySettings::from_environment(&environment).unwrap_err().faults.len(), 2);
    }
}
