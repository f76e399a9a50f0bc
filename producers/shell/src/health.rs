//! `/healthz`, which touches nothing, and `/readyz`, which asks every dependency but Redis.

use axum::routing::get;
use axum::{Extension, Router};
use platform::ops::Readiness;

use crate::problem::NoProblem;

/// Both, below `base` and at the root.
pub(crate) fn routes(base: &str, readiness: &Readiness) -> Router {
    let mut router = Router::new();
    for prefix in ["", base] {
        let readiness = readiness.clone();
        router = router.route(&format!("{prefix}/healthz"), get(|| async { "ok\n" })).route(
            &format!("{prefix}/readyz"),
            get(move || {
                let readiness = readiness.clone();
                async move { (Extension(NoProblem), readiness.answer().await) }
            }),
        );
    }
    router
}
