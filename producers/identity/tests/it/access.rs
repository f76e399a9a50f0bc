//! Every endpoint of the OpenAPI document with every role: the table below must name each operation, so an endpoint that
//! is added without saying who may use it fails here.

use axum::http::Method;
use serde_json::{Value, json};

use crate::site::{BASE, PASSWORD, Person, Site};

const ADMINS: &[&str] = &["SUPER_ADMIN", "ADMIN"];
const OWNERS: &[&str] = &["SUPER_ADMIN", "ADMIN", "OWNER"];
const ALL: &[&str] = &["SUPER_ADMIN", "ADMIN", "OWNER", "EMPLOYEE", "CASHIER", ""];

/// Method, path, who may (`""` is a user without roles), a body that is acceptable.
fn table() -> Vec<(&'static str, &'static str, &'static [&'static str], Value)> {
    let policy = json!({"role": "CASHIER", "service": "sale", "resource": "x", "action": "y", "effect": "allow"});
    let user = json!({"email": "made@example.vn", "name": "x", "password": "một câu đủ dài để nhớ"});
    let password = json!({"current_password": "sai mật khẩu rồi", "new_password": "một câu đủ dài để nhớ"});
    vec![
        ("get", "/me", ALL, Value::Null),
        ("put", "/me/password", ALL, password),
        ("get", "/users", OWNERS, Value::Null),
        ("post", "/users", OWNERS, user),
        ("get", "/users/{id}", OWNERS, Value::Null),
        ("patch", "/users/{id}", OWNERS, json!({})),
        ("delete", "/users/{id}", OWNERS, Value::Null),
        ("put", "/users/{id}/roles", OWNERS, json!({"roles": []})),
        ("put", "/users/{id}/merchants", ADMINS, json!({"merchant_ids": []})),
        ("get", "/roles", OWNERS, Value::Null),
        ("post", "/roles", ADMINS, json!({"name": "MADE"})),
        ("get", "/roles/{id}", OWNERS, Value::Null),
        ("patch", "/roles/{id}", ADMINS, json!({"description": ""})),
        ("delete", "/roles/{id}", ADMINS, Value::Null),
        ("get", "/policies", ADMINS, Value::Null),
        ("post", "/policies", ADMINS, policy),
        ("get", "/policies/{id}", ADMINS, Value::Null),
        ("patch", "/policies/{id}", ADMINS, json!({})),
        ("delete", "/policies/{id}", ADMINS, Value::Null),
        ("get", "/service-accounts", ADMINS, Value::Null),
        ("post", "/service-accounts", ADMINS, json!({"name": "made", "roles": []})),
        ("get", "/service-accounts/{id}", ADMINS, Value::Null),
        ("patch", "/service-accounts/{id}", ADMINS, json!({})),
        ("delete", "/service-accounts/{id}", ADMINS, Value::Null),
        ("post", "/service-accounts/{id}/secret", ADMINS, json!({"keep_old_for_seconds": 0})),
        ("get", "/signing-keys", ADMINS, Value::Null),
        ("post", "/signing-keys", ADMINS, Value::Null),
    ]
}

const PUBLIC: [(&str, &str); 4] =
    [("get", "/jwks.json"), ("get", "/policies/bundle"), ("post", "/tokens"), ("post", "/tokens/revoke")];

async fn document(site: &Site) -> Value {
    site.get("/doc/openapi.json").send().await.expect(200).body
}

/// Method and path, relative to the base path, of every operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = |(path, item): (&String, &Value)| {
        let path = path.strip_prefix(BASE).unwrap().to_owned();
        let item = item.as_object().unwrap().clone();
        item.into_iter().map(move |(method, operation)| (method, path.clone(), operation))
    };
    paths.iter().flat_map(each).collect()
}

#[tokio::test]
async fn the_table_names_every_endpoint_of_the_document() {
    let site = Site::new().await;
    let mut documented: Vec<_> =
        operations(&document(&site).await).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let mut named: Vec<_> = table().into_iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
    named.extend(PUBLIC.map(|(method, path)| format!("{method} {path}")));
    documented.sort();
    named.sort();
    assert_eq!(documented, named);
}

#[tokio::test]
async fn only_the_public_endpoints_say_that_they_need_no_credentials() {
    let site = Site::new().await;
    for (method, path, operation) in operations(&document(&site).await) {
        let open = operation["security"].as_array().unwrap().iter().all(|one| one.as_object().unwrap().is_empty());
        assert_eq!(open, PUBLIC.contains(&(method.as_str(), path.as_str())), "{method} {path}");
    }
}

#[tokio::test]
async fn every_role_may_do_exactly_what_the_table_says_and_answers_only_documented_statuses() {
    let site = Site::new().await;
    let document = document(&site).await;
    let mut people = Vec::new();
    for role in ALL {
        let roles: Vec<&str> = if role.is_empty() { Vec::new() } else { vec![role] };
        people.push((*role, site.person(&roles).await));
    }
    for (method, path, allowed, body) in table() {
        let documented = &document["paths"][format!("{BASE}{path}")][method]["responses"];
        let unknown = ask(&site, method, path, None, &body).await;
        assert_eq!(unknown, 401, "{method} {path} without credentials");
        for (role, person) in &people {
            let status = ask(&site, method, path, Some(person), &body).await;
            let refused = status == 401 || status == 403;
            assert_eq!(!refused, allowed.contains(role), "{method} {path} as {role:?} answered {status}");
            assert_ne!(status, 500, "{method} {path} as {role:?}");
            assert!(documented.get(status.to_string()).is_some(), "{method} {path} answered {status}, undocumented");
        }
    }
}

async fn ask(site: &Site, method: &str, path: &str, person: Option<&Person>, body: &Value) -> u16 {
    let method: Method = method.to_uppercase().parse().unwrap();
    let call = site.call(method, path.replace("{id}", "987654321")).if_match("*").once(&bed::unique("key"));
    let call = if body.is_null() { call } else { call.json(body.clone()) };
    let call = match person {
        Some(person) => call.by(person),
        None => call,
    };
    call.send().await.status.as_u16()
}

#[tokio::test]
async fn malformed_requests_are_refused_clearly() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    for id in ["0", "-1", "abc", "9223372036854775808", "1.0", "%00", "1%20or%201=1"] {
        site.get(format!("/users/{id}")).by(&admin).send().await.expect(400);
    }
    for query in ["limit=0", "limit=x", "cursor=AAAA", "email=%00", "merchant_id=x"] {
        site.get(format!("/users?{query}")).by(&admin).send().await.expect(400);
    }
    let nul = json!({"email": "a@b.vn", "name": "a\u{0}b", "password": "một câu đủ dài để nhớ"});
    site.post("/users").by(&admin).json(nul).send().await.expect(422);
    site.post("/users").by(&admin).json(json!([])).send().await.expect(422);
    site.call(Method::PUT, "/users").by(&admin).send().await.expect(405);
    let long = json!({"grant_type": "password", "email": "a@b.vn", "password": PASSWORD.repeat(100_000)});
    site.grant(long).await.expect(413);
}
