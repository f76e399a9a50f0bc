//! The page for people at `<base>/doc`, which needs nothing but this server.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use platform::service::Service;
use serde_json::{Value, json};

/// The page may load from this server only, so that it cannot come to depend on another.
const POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:";

/// The document, the page and its bundle.
pub(crate) fn routes(service: Service, document: &Value) -> Router {
    let doc = format!("{}/doc", service.base_path);
    let (json_path, bundle_path) = (format!("{doc}/openapi.json"), format!("{doc}/scalar.js"));
    let settings = json!({
        "url": json_path,
        "withDefaultFonts": false,
        "telemetry": false,
        "hideClientButton": true,
        "showDeveloperTools": "never",
        "agent": { "disabled": true },
        "mcp": { "disabled": true },
    });
    let page = scalar_api_reference::scalar_html(&settings, Some(&bundle_path))
        .replace("<title>Scalar API Reference</title>", &format!("<title>Sluice {}</title>", service.name));
    let document = Bytes::from(document.to_string());
    Router::new()
        .route(&doc, get(move || async move { ([(CONTENT_SECURITY_POLICY, POLICY)], Html(page)) }))
        .route(&json_path, get(move || async move { ([(CONTENT_TYPE, "application/json")], document) }))
        .route(&bundle_path, get(|| async { bundle() }))
}

fn bundle() -> Response {
    let Some(bytes) = scalar_api_reference::get_asset("scalar.js") else {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    };
    let headers = [(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, bytes).into_response()
}
