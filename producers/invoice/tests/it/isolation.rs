//! Who sees what: a table made of the service's own document, so that an endpoint that is added is tested with it.

use axum::http::StatusCode;
use platform::service::Service;
use serde_json::Value;

use crate::service::Running;
use crate::world::{self, ONE, OTHER};

/// A caller: user, roles, merchants, and whose rows it sees.
type Row = (i64, &'static [&'static str], &'static [i64], &'static [i64]);

const CALLERS: &[Row] = &[
    (1, &["SUPER_ADMIN"], &[], &[ONE, OTHER]),
    (1, &["ADMIN"], &[], &[ONE, OTHER]),
    (world::ONES_OWNER, &["OWNER"], &[], &[ONE]),
    // what an owner was given to work for counts only for a role that works
    (world::ONES_OWNER, &["OWNER"], &[OTHER], &[ONE]),
    (world::ONES_OWNER, &["OWNER", "CASHIER"], &[OTHER], &[ONE, OTHER]),
    (333, &["OWNER"], &[], &[]),
    (444, &["EMPLOYEE"], &[ONE], &[ONE]),
    (444, &["CASHIER"], &[OTHER], &[OTHER]),
    (444, &["CASHIER"], &[], &[]),
    // having created a merchant is nothing without the role
    (world::ONES_OWNER, &["CASHIER"], &[], &[]),
];

/// Every way to ask for a merchant's rows: (path, whether it names one thing).
fn questions(document: &Value, merchant: i64) -> Vec<(String, bool)> {
    let mut questions = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert_eq!(
            item.as_object().unwrap().keys().filter(|key| *key != "get").count(),
            0,
            "{path}: test its writes too"
        );
        let path = path.strip_prefix(Service::INVOICE.base_path).unwrap();
        let one = path.contains('{');
        let path = path.replace("{merchant}", &merchant.to_string());
        assert!(!path.contains('{'), "{path}: say here what its parameter is");
        questions.push((path.clone(), one));
        for parameter in item["get"]["parameters"].as_array().unwrap() {
            let (name, place) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
            if place == "query" && name.ends_with("_id") {
                questions.push((format!("{path}?{name}={}", world::id_of(name, merchant)), one));
            }
        }
    }
    questions
}

#[tokio::test]
async fn nobody_sees_rows_of_others_and_everybody_their_own() {
    let service = world::start().await;
    let document = service.get("/doc/openapi.json", None).await.json();
    let mut asked = 0;
    for (user, roles, merchants, seen) in CALLERS {
        let token = service.issuer.token(*user, roles, merchants);
        for merchant in [ONE, OTHER] {
            for (path, one) in questions(&document, merchant) {
                let got = service.get(&path, Some(&token)).await;
                let who = format!("{roles:?} {user} of {merchants:?} asks {path}");
                let found = seen.contains(&merchant);
                let expected = if one && !found { StatusCode::NOT_FOUND } else { StatusCode::OK };
                assert_eq!(got.status, expected, "{who}: {}", got.text);
                if got.status == StatusCode::OK {
                    assert_eq!(got.text.contains(&merchant.to_string()), found, "{who}: {}", got.text);
                    for hidden in [ONE, OTHER].iter().filter(|merchant| !seen.contains(merchant)) {
                        assert!(!got.text.contains(&hidden.to_string()), "{who}: {}", got.text);
                    }
                }
                asked += 1;
            }
        }
    }
    assert!(asked >= 2 * CALLERS.len());
}

#[tokio::test]
async fn without_credentials_it_is_401_and_without_a_role_that_may_403() {
    let service = world::start().await;
    let document = service.get("/doc/openapi.json", None).await.json();
    for (path, _) in questions(&document, ONE) {
        assert_eq!(service.get(&path, None).await.status, StatusCode::UNAUTHORIZED, "{path}");
        let forged = shell::issuer::Issuer::new("test-key").token(1, &["ADMIN"], &[]);
        assert_eq!(service.get(&path, Some(&forged)).await.status, StatusCode::UNAUTHORIZED, "{path}");
        for roles in [&["AUDITOR"][..], &[]] {
            let token = service.issuer.token(world::ONES_OWNER, roles, &[ONE]);
            assert_eq!(service.get(&path, Some(&token)).await.status, StatusCode::FORBIDDEN, "{path} {roles:?}");
        }
    }
}

#[tokio::test]
async fn before_policies_were_ever_held_it_is_503_and_not_403() {
    let service = Running::without_policies().await;
    let document = service.get("/doc/openapi.json", None).await.json();
    for (path, _) in questions(&document, ONE) {
        let got = service.get_as_administrator(&path).await;
        assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(got.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn every_operation_documents_every_status_and_names_itself() {
    let service = Running::without_policies().await;
    let document = service.get("/doc/openapi.json", None).await.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let operation = &item["get"];
        assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{path}");
        let mut expected = vec!["200", "400", "401", "403", "429", "500", "503"];
        if path.contains('{') {
            expected.insert(4, "404");
        }
        let statuses: Vec<_> = operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(statuses, expected, "{path}");
    }
}
