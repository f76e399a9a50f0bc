//! How many requests at once, and for how long: overload answers at once, and nothing hangs.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use metrics::counter;
use platform::metric;
use tokio::sync::Semaphore;

use crate::kit::Kit;
use crate::problem::Problem;

/// How long a request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Duration);

/// Answers 503 when the handler is not done in time. Writes that it began go on to their end in their own task
/// ([`crate::write`]), so an idempotency key tells the caller later how it ended.
pub(super) async fn within_deadline(
    State(Deadline(limit)): State<Deadline>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    tokio::time::timeout(limit, next.run(request)).await.map_err(|_| {
        tracing::warn!(limit_ms = limit.as_millis(), "the request took longer than it may");
        Problem::unavailable("TIMEOUT", "the request took too long; repeat it with the same Idempotency-Key", 5)
    })
}

/// The places for requests that are worked on.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    service: &'static str,
}

impl Places {
    pub(super) fn of(kit: &Kit) -> Self {
        Self { free: Arc::new(Semaphore::new(kit.settings().max_in_flight)), service: kit.service().name }
    }
}

/// Answers 503 at once when every place is taken.
pub(super) async fn take_place(
    State(places): State<Places>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Ok(_place) = places.free.try_acquire() else {
        counter!(metric::HTTP_OVERLOAD, "service" => places.service).increment(1);
        return Err(Problem::unavailable("OVERLOADED", "too many requests at once; try again in a moment", 1));
    };
    Ok(next.run(request).await)
}
