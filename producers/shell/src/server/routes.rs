//! From a service's endpoints to the router that is served.

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::{Extension, Router, middleware};
use utoipa_axum::router::OpenApiRouter;

use super::{limits, observe};
use crate::json::BodyLimit;
use crate::kit::Kit;
use crate::{health, openapi};

/// Everything that a service answers: its endpoints (`endpoints`, with paths relative to its base path) with their
/// document and page at `<base>/doc`, and health at `<base>` and the root; all under the limits of the settings, and
/// every failure a problem.
pub fn router<S: Clone + Send + Sync + 'static>(kit: &Kit, endpoints: OpenApiRouter<S>, state: S) -> Router {
    let (service, settings) = (kit.service(), kit.settings());
    let (endpoints, document) = OpenApiRouter::<S>::default().nest(service.base_path, endpoints).split_for_parts();
    let document = openapi::complete(service, &document);
    let endpoints = endpoints
        .with_state(state)
        .layer(middleware::from_fn_with_state(limits::Deadline(settings.request_timeout), limits::within_deadline))
        .layer(middleware::from_fn_with_state(limits::Places::of(kit), limits::take_place));
    Router::new()
        .merge(endpoints)
        .merge(openapi::page::routes(service, &document))
        .merge(health::routes(service.base_path, kit.readiness()))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(DefaultBodyLimit::max(settings.body_limit))
        .layer(Extension(BodyLimit(settings.body_limit)))
        .layer(Extension(kit.clone()))
        .layer(middleware::from_fn_with_state(kit.clone(), observe::observe))
}
