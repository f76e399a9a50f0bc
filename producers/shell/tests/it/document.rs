//! The document, the page, the metrics.

use reqwest::Method;
use serde_json::Value;

use crate::service::{json, start};

async fn document(service: &crate::service::Running) -> Value {
    let url = format!("{}/v1/api/commerce/doc/openapi.json", service.url);
    json(service.client.get(url).send().await.unwrap()).await
}

#[tokio::test]
async fn every_operation_documents_every_status_it_can_answer() {
    let service = start().await;
    let document = document(&service).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let statuses = |path: &str, method: &str| -> Vec<String> {
        let responses = &document["paths"][format!("/v1/api/commerce{path}")][method]["responses"];
        responses.as_object().unwrap_or_else(|| panic!("{method} {path}")).keys().cloned().collect()
    };
    assert_eq!(
        statuses("/widgets", "post"),
        ["201", "400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503"]
    );
    assert_eq!(statuses("/widgets", "get"), ["200", "400", "401", "403", "429", "500", "503"]);
    assert_eq!(statuses("/widgets/{id}", "get"), ["200", "400", "401", "403", "404", "429", "500", "503"]);
    assert_eq!(
        statuses("/widgets/{id}", "patch"),
        ["200", "400", "401", "403", "404", "409", "412", "413", "415", "422", "428", "429", "500", "503"]
    );
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere_and_ids_have_their_pattern() {
    let service = start().await;
    let document = document(&service).await;
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    assert_eq!(document["components"]["schemas"]["Id"]["pattern"], shell::id::ID_PATTERN);
    let parameters = &document["paths"]["/v1/api/commerce/widgets"]["post"]["parameters"];
    assert_eq!((&parameters[0]["name"], &parameters[0]["in"]), (&"Idempotency-Key".into(), &"header".into()));
    assert_eq!(parameters[0]["required"], true);
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_needs_nothing_but_this_server() {
    let service = start().await;
    let page = service.client.get(format!("{}/v1/api/commerce/doc", service.url)).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'self'"));
    let html = page.text().await.unwrap();
    assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
    assert!(html.contains("/v1/api/commerce/doc/openapi.json"));
    let bundle = service.client.get(format!("{}/v1/api/commerce/doc/scalar.js", service.url)).send().await.unwrap();
    assert!(bundle.headers()["content-type"].to_str().unwrap().starts_with("text/javascript"));
    assert!(bundle.bytes().await.unwrap().len() > 1_000_000);
}

#[tokio::test]
async fn requests_are_measured_by_route_template_and_service() {
    let metrics = platform::telemetry::install_metrics().unwrap();
    let service = start().await;
    service.ask(Method::GET, "/widgets/8999999999999999999").send().await.unwrap();
    let text = metrics.render();
    let counted =
        r#"http_requests_total{service="commerce",method="GET",route="/v1/api/commerce/widgets/{id}",status="404"}"#;
    assert!(text.contains(counted), "{text}");
    assert!(text.contains("http_request_duration_seconds_bucket{service=\"commerce\""));
    assert!(!text.contains("8999999999999999999"));
}
