//! How a problem is written down.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::Problem;

/// What the request layer adds to every problem.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub(crate) request_id: String,
    pub(crate) trace_id: String,
    pub(crate) path: String,
}

impl Problem {
    /// The document. `type` is a URN of the code, because nobody serves pages about problems.
    fn document(&self, identity: Option<&Identity>) -> Map<String, Value> {
        let mut document = Map::new();
        let title = self.status.canonical_reason().unwrap_or("Problem");
        document.insert("type".to_owned(), format!("urn:sluice:problem:{}", self.code).into());
        document.insert("title".to_owned(), title.into());
        document.insert("status".to_owned(), self.status.as_u16().into());
        document.insert("detail".to_owned(), self.detail.clone().into());
        document.insert("code".to_owned(), self.code.clone().into());
        if !self.errors.is_empty() {
            document.insert("errors".to_owned(), json!(self.errors));
        }
        if let Some(identity) = identity {
            document.insert("instance".to_owned(), identity.path.clone().into());
            document.insert("request_id".to_owned(), identity.request_id.clone().into());
            document.insert("trace_id".to_owned(), identity.trace_id.clone().into());
        }
        document.extend((*self.members).clone());
        document
    }

    fn respond(self, identity: Option<&Identity>) -> Response {
        let mut response = Response::new(Body::from(Value::Object(self.document(identity)).to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers.iter().cloned());
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.respond(None)
    }
}

/// Marks an answer that is no problem whatever its status: the report of `/readyz`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoProblem;

/// Writes the request's identity into a problem, and makes a problem of what the router or a library answered by
/// itself (404 of an unknown path, 405, an extractor that is not ours).
pub(crate) fn finish(mut response: Response, identity: &Identity) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let mut finished = problem.respond(Some(identity));
        // Layers in between may have set headers of their own.
        for (name, value) in response.headers() {
            if !finished.headers().contains_key(name) && name != header::CONTENT_LENGTH {
                finished.headers_mut().insert(name, value.clone());
            }
        }
        return finished;
    }
    let status = response.status();
    if response.extensions().get::<NoProblem>().is_some() || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut problem = foreign(status);
    if let Some(allow) = allow {
        problem = problem.header(header::ALLOW, allow);
    }
    problem.respond(Some(identity))
}

fn foreign(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::new(status, "NO_SUCH_PATH", "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(status, "METHOD_NOT_ALLOWED", "this path does not answer this method")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(status, "BODY_TOO_LARGE", "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(status, "UNSUPPORTED_MEDIA_TYPE", "the body's content type is not one that is read here")
        }
        status if status.is_server_error() => Problem::internal(),
        status => Problem::new(status, "REFUSED", "the request was refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> Value {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn a_problem_tells_code_pointer_and_request() {
        let identity = Identity { request_id: "r-1".into(), trace_id: "t-1".into(), path: "/v1/x".into() };
        let problem = Problem::taken("/slug", "SLUG_TAKEN", "another category has this slug").with("state", "OPEN");
        let response = finish(problem.into_response(), &identity);
        assert_eq!(response.status(), 409);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = body(response).await;
        assert_eq!(
            (&body["code"], &body["request_id"], &body["state"]),
            (&"SLUG_TAKEN".into(), &"r-1".into(), &"OPEN".into())
        );
        assert_eq!(body["errors"][0]["pointer"], "/slug");
        assert_eq!(
            (&body["status"], &body["instance"], &body["trace_id"]),
            (&409.into(), &"/v1/x".into(), &"t-1".into())
        );
    }

    #[tokio::test]
    async fn what_a_library_answered_becomes_a_problem_and_successes_stay() {
        let refused = StatusCode::METHOD_NOT_ALLOWED.into_response();
        assert_eq!(body(finish(refused, &Identity::default())).await["code"], "METHOD_NOT_ALLOWED");
        let fine = finish("text".into_response(), &Identity::default());
        assert_eq!(fine.status(), 200);
    }
}
