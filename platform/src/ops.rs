//! The operations port: `/metrics`, `/healthz`, `/readyz`. And the registry of readiness checks, which a shell's own
//! `/readyz` reads too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::future::{BoxFuture, join_all};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::lifecycle::Lifecycle;

type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A check that takes longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(2);

/// What must hold for this process to be ready, by name. Clones share the registry.
#[derive(Clone)]
pub struct Readiness {
    lifecycle: Lifecycle,
    checks: Arc<Mutex<BTreeMap<String, Check>>>,
}

impl Readiness {
    /// Ready as long as the lifecycle is not stopping.
    #[must_use]
    pub fn new(lifecycle: Lifecycle) -> Self {
        Self { lifecycle, checks: Arc::default() }
    }

    /// Adds a check. Its error is a sentence for operators, shown at `/readyz`. It runs whenever somebody asks, so it
    /// must be cheap; after two seconds it counts as failed.
    pub fn register<F, R>(&self, name: impl Into<String>, check: F)
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        let check: Check = Arc::new(move || Box::pin(check()));
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), check);
    }

    /// Adds the check that a Postgres pool answers.
    pub fn register_postgres(&self, name: impl Into<String>, pool: sqlx::PgPool) {
        self.register(name, move || {
            let pool = pool.clone();
            async move {
                let asked = sqlx::query("select 1").execute(&pool);
                asked.await.map(drop).map_err(|_| "postgres does not answer".to_owned())
            }
        });
    }

    /// Whether everything holds, and what each check says.
    pub async fn report(&self) -> (bool, Value) {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let draining = self.lifecycle.is_draining();
        // In tasks of their own: the answer does not wait beyond its patience, and no statement is cancelled.
        let results = join_all(checks.into_iter().map(|(name, check)| async move {
            let result = tokio::time::timeout(PATIENCE, tokio::spawn(check())).await;
            let result = match result {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err("the check failed".to_owned()),
                Err(_) => Err("no answer in time".to_owned()),
            };
            (name, result)
        }))
        .await;
        let ready = !draining && results.iter().all(|(_, result)| result.is_ok());
        let checks: serde_json::Map<_, _> = results
            .into_iter()
            .map(|(name, result)| (name, Value::from(result.err().unwrap_or("ok".into()))))
            .collect();
        (ready, json!({ "ready": ready, "draining": draining, "checks": checks }))
    }

    /// The answer of `/readyz`: 200 or 503, with what each check says.
    pub async fn answer(&self) -> Response {
        let (ready, report) = self.report().await;
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
    }
}

/// Serves the operations port until the lifecycle stops.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    readiness: Readiness,
    lifecycle: Lifecycle,
) -> std::io::Result<()> {
    let stop = lifecycle.stop();
    axum::serve(listener, router(metrics, readiness)).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// The routes of the operations port.
pub fn router(metrics: PrometheusHandle, readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|State(readiness): State<Readiness>| async move { readiness.answer().await }))
        .with_state(readiness)
        .route("/metrics", get(move || std::future::ready(render(&metrics))))
}

fn render(metrics: &PrometheusHandle) -> Response {
    metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_failed_check_makes_it_unready_and_says_which() {
        let readiness = Readiness::new(Lifecycle::new());
        readiness.register("postgres", || async { Ok(()) });
        assert!(readiness.report().await.0);
        readiness.register("policies", || async { Err("never had a bundle".to_owned()) });
        let (ready, report) = readiness.report().await;
        assert!(!ready);
        assert_eq!(report["checks"], json!({"postgres": "ok", "policies": "never had a bundle"}));
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_or_panics_has_failed() {
        let readiness = Readiness::new(Lifecycle::new());
        readiness.register("slow", std::future::pending);
        readiness.register("broken", || async { panic!("boom") });
        let (_, report) = readiness.report().await;
        assert_eq!(report["checks"], json!({"broken": "the check failed", "slow": "no answer in time"}));
    }

    #[tokio::test]
    async fn draining_is_unready_and_healthy() {
        let lifecycle = Lifecycle::new();
        let readiness = Readiness::new(lifecycle.clone());
        lifecycle.stop().cancel();
        assert_eq!(readiness.answer().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
