//! Adds to every operation what holds for all: problems, credentials, headers.

use platform::service::Service;
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::OpenApi;

use crate::problem::FieldProblem;

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// The document as it is served. Every operation gets, unless its author documented them:
/// - 400, 429, 500 and 503; 401 and 403 and both kinds of credentials unless it says `security(())`;
/// - 404 with a parameter in its path; 409, 413, 415 and 422 with a body or a write;
/// - 412 and 428 with an `If-Match` parameter; 404 and 409 with an `Idempotency-Key` parameter;
/// - the header `X-Request-Id` on every answer, and `ETag` on answers of operations that take `If-Match`.
#[must_use]
pub fn complete(service: Service, document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["info"] = json!({
        "title": format!("Sluice {}", service.name),
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Errors are RFC 9457 problems with a stable `code`. Ids are texts. Money is whole dong. Times are RFC 3339 in UTC.",
    });
    document["servers"] = json!([{ "url": "/" }]);
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                complete_operation(path, method, operation);
            }
        }
    }
    if !document["components"].is_object() {
        document["components"] = json!({});
    }
    let components = &mut document["components"];
    components["schemas"]["Problem"] = problem_schema();
    components["schemas"]["FieldProblem"] = serde_json::to_value(FieldProblem::schema()).unwrap_or_default();
    components["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token of identity's." },
        "basic": { "type": "http", "scheme": "basic", "description": "A service account." },
    });
    document
}

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let public = operation.get("security").is_some_and(|security| {
        security.as_array().is_some_and(|all| all.iter().all(|one| one.as_object().is_none_or(Map::is_empty)))
    });
    if !public {
        operation.entry("security").or_insert_with(|| json!([{ "bearer": [] }, { "basic": [] }]));
    }
    let takes = |name: &str| {
        let parameters = operation.get("parameters").and_then(Value::as_array);
        parameters.is_some_and(|all| all.iter().any(|one| one["name"] == name))
    };
    let (if_match, key) = (takes("If-Match"), takes("Idempotency-Key"));
    let has_body = operation.contains_key("requestBody");
    let is_write = method != "get";
    let mut statuses = vec!["400", "429", "500", "503"];
    let mut when = |holds: bool, more: &[&'static str]| {
        if holds {
            statuses.extend(more);
        }
    };
    when(!public, &["401", "403"]);
    when(path.contains('{'), &["404"]);
    when(has_body, &["413", "415", "422"]);
    when(is_write, &["409", "422"]);
    when(if_match, &["412", "428"]);
    // what is created may belong to something that does not exist, or not for this caller
    when(key, &["404", "409", "422"]);
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return };
    for status in statuses {
        responses.entry(status).or_insert_with(|| problem_response(status));
    }
    responses.sort_keys();
    for (status, response) in responses.iter_mut() {
        complete_headers(response, if_match && status.starts_with('2') && status != "204", status);
    }
}

fn complete_headers(response: &mut Value, etag: bool, status: &str) {
    let Some(response) = response.as_object_mut() else { return };
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    let Some(headers) = headers.as_object_mut() else { return };
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    headers.entry("X-Request-Id").or_insert_with(|| text("Identifies this request in logs and effects."));
    if etag {
        headers.entry("ETag").or_insert_with(|| text("The version, for If-Match."));
    }
    if matches!(status, "429" | "503") {
        headers.entry("Retry-After").or_insert_with(
            || json!({ "description": "Seconds to wait.", "schema": { "type": "integer", "minimum": 0 } }),
        );
    }
}

fn problem_response(status: &str) -> Value {
    let description = match status {
        "400" => "The request cannot be read: malformed JSON, parameter, cursor, or a missing Idempotency-Key.",
        "401" => "No credentials, or refused ones.",
        "403" => "The caller's roles do not allow it.",
        "404" => "There is no such thing, or not for this caller.",
        "409" => "The state does not allow it, a value is taken, or a request with this Idempotency-Key is running.",
        "412" => "It was changed since the version in If-Match.",
        "413" => "The body is too large.",
        "415" => "The body is of another content type.",
        "422" => "Fields are not acceptable, or the Idempotency-Key was used for another request.",
        "428" => "If-Match is missing.",
        "429" => "Too often.",
        "503" => "Overloaded, or a dependency is out of reach: try again after Retry-After.",
        _ => "A fault of the service's.",
    };
    json!({
        "description": description,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "A problem (RFC 9457). Decide on `code`; other members may be added.",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": { "type": "string", "description": "A URN of the code." },
            "title": { "type": "string", "description": "The status in words." },
            "status": { "type": "integer", "format": "int32" },
            "detail": { "type": "string", "description": "A sentence about this occurrence." },
            "instance": { "type": "string", "description": "The path that was asked." },
            "code": { "type": "string", "description": "Stable, in capitals." },
            "errors": { "type": "array", "items": { "$ref": "#/components/schemas/FieldProblem" } },
            "request_id": { "type": "string" },
            "trace_id": { "type": "string" },
        },
    })
}
