//! The outermost layer: gives a request its identity, catches panics, counts, logs, and finishes problems.

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use metrics::{counter, gauge, histogram};
use platform::metric;
use tokio::time::Instant;
use tracing::Instrument;

use crate::kit::Kit;
use crate::problem::{Identity, Problem, finish};
use crate::request::{REQUEST_ID, RequestId, TraceId};

pub(super) async fn observe(State(kit): State<Kit>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let service = kit.service().name;
    let (request_id, trace_id) =
        (RequestId::of(request.headers(), kit.random()), TraceId::of(request.headers(), kit.random()));
    let path = request.uri().path().to_owned();
    let method = method_label(request.method());
    let route =
        request.extensions().get::<MatchedPath>().map_or("unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        service,
        requestId = request_id.0,
        traceId = trace_id.0,
        method,
        route,
        userId = tracing::field::Empty,
        merchantId = tracing::field::Empty,
    );
    let identity = Identity { request_id: request_id.0.clone(), trace_id: trace_id.0.clone(), path };
    request.extensions_mut().insert(request_id);
    request.extensions_mut().insert(trace_id);
    let _in_flight = InFlight::enter(service);
    async {
        let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(panic) => panicked(service, panic.as_ref()),
        };
        response = finish(response, &identity);
        if let Ok(value) = HeaderValue::try_from(identity.request_id) {
            response.headers_mut().insert(HeaderName::from_static(REQUEST_ID), value);
        }
        measure(service, method, &route, response.status().as_u16(), started);
        response
    }
    .instrument(span)
    .await
}

fn measure(service: &'static str, method: &'static str, route: &str, status: u16, started: Instant) {
    let elapsed = started.elapsed();
    let route = route.to_owned();
    counter!(metric::HTTP_REQUESTS, "service" => service, "method" => method, "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    histogram!(metric::HTTP_DURATION, "service" => service, "method" => method, "route" => route.clone())
        .record(elapsed);
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if route.ends_with("/healthz") || route.ends_with("/readyz") {
        tracing::debug!(status, duration_ms, "{method} {route} answered {status}");
    } else {
        tracing::info!(status, duration_ms, "{method} {route} answered {status}");
    }
}

fn panicked(service: &'static str, panic: &(dyn std::any::Any + Send)) -> Response {
    counter!(metric::HTTP_PANICS, "service" => service).increment(1);
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of another type"), "a handler panicked");
    Problem::internal().into_response()
}

/// Of a fixed set: a method is the caller's text, and a label must not grow with what callers send.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts a request as long as it lives, dropped ones too.
struct InFlight(&'static str);

impl InFlight {
    fn enter(service: &'static str) -> Self {
        gauge!(metric::HTTP_IN_FLIGHT, "service" => service).increment(1);
        Self(service)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(metric::HTTP_IN_FLIGHT, "service" => self.0).decrement(1);
    }
}
