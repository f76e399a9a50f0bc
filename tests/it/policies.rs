//! A policy that is changed at one service counts at another, by way of the log.

use std::net::TcpListener;
use std::time::Duration;

use backbone::eventually;
use backbone::process::Process;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Shells look at identity every 30 seconds by themselves; so many changes in a row would take minutes that way.
const CHANGES: usize = 6;

/// The services of the test, on ports of their own.
struct Site {
    http: reqwest::Client,
    identity: String,
    commerce: String,
}

impl Site {
    async fn sign_in(&self, email: &str, password: &str) -> String {
        let grant = json!({"grant_type": "password", "email": email, "password": password});
        let answer = self.http.post(format!("{}/tokens", self.identity)).json(&grant).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        body["access_token"].as_str().unwrap_or_else(|| panic!("no token: {body}")).to_owned()
    }

    /// Makes something at identity; answers it.
    async fn make(&self, token: &str, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}/{path}", self.identity)).bearer_auth(token);
        let answer = request.header("idempotency-key", bed::unique("make")).json(body).send().await.unwrap();
        let (status, body) = (answer.status(), answer.json().await.unwrap());
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body
    }

    /// What commerce answers to somebody who asks for its categories; nothing while it does not serve.
    async fn ask(&self, token: &str) -> Option<StatusCode> {
        let request = self.http.get(format!("{}/categories", self.commerce)).bearer_auth(token);
        Some(request.send().await.ok()?.status())
    }
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

#[tokio::test]
async fn a_changed_policy_counts_at_another_service_because_its_change_was_captured() {
    platform::tls::install();
    let environment = bed::environment();
    let (email, password) =
        (environment.get("APP_ENV_BOOTSTRAP_EMAIL").unwrap(), environment.get("APP_ENV_BOOTSTRAP_PASSWORD").unwrap());
    let (identity_port, commerce_port) = (free_port(), free_port());
    let site = Site {
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        identity: format!("http://127.0.0.1:{identity_port}/v1/api/identity"),
        commerce: format!("http://127.0.0.1:{commerce_port}/v1/api/commerce"),
    };
    let backbone = bed::database("backbone").await;
    assert_eq!(Process::run(&["identity", "bootstrap"], &[]).await.0, 0);
    let identity = Process::start(&["serve", "identity"], &[("APP_ENV_PORT", &identity_port)]);
    let identity_url = format!("http://127.0.0.1:{identity_port}");
    let commerce = Process::start(
        &["serve", "commerce"],
        &[("APP_ENV_PORT", &commerce_port), ("APP_ENV_IDENTITY_URL", &identity_url)],
    );
    let group = bed::unique("cache-invalidation");
    let consumer = Process::start(
        &["consume", "cache-invalidation"],
        &[("APP_ENV_KAFKA_GROUP", &group), ("BACKBONE__APP_ENV_DB_URL", &backbone.url)],
    );

    for service in [&site.identity, &site.commerce] {
        let ready = format!("{service}/readyz");
        eventually(service, true, async || site.http.get(&ready).send().await.is_ok_and(|a| a.status() == 200)).await;
    }
    let admin = site.sign_in(email, password).await;
    let unique = bed::unique("P").to_uppercase().replace('-', "_");
    let (role, worker) = (&unique[..unique.len().min(40)], format!("{unique}@sluice.example"));
    site.make(&admin, "roles", &json!({"name": role})).await;
    let user = json!({"email": worker, "name": "Thu", "password": "bún chả Hà Nội ngon", "roles": [role]});
    site.make(&admin, "users", &user).await;
    let worker = site.sign_in(&worker, "bún chả Hà Nội ngon").await;
    eventually("nothing is allowed", Some(StatusCode::FORBIDDEN), || site.ask(&worker)).await;

    let definition =
        json!({"role": role, "service": "commerce", "resource": "category", "action": "read", "effect": "allow"});
    let policy = site.make(&admin, "policies", &definition).await;
    eventually("what is allowed", Some(StatusCode::OK), || site.ask(&worker)).await;
    let policy = format!("{}/policies/{}", site.identity, policy["id"].as_str().unwrap());
    let changes = async {
        for version in 1..=CHANGES {
            let (effect, expected) =
                if version % 2 == 1 { ("deny", StatusCode::FORBIDDEN) } else { ("allow", StatusCode::OK) };
            let patch = site.http.patch(&policy).bearer_auth(&admin).header("if-match", format!("\"{version}\""));
            let answer = patch.json(&json!({"effect": effect})).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.text().await);
            eventually(effect, Some(expected), || site.ask(&worker)).await;
        }
    };
    let changes = tokio::time::timeout(Duration::from_secs(20) * u32::try_from(CHANGES).unwrap(), changes).await;
    assert!(changes.is_ok(), "the changes arrived as slowly as without a capture: {}", consumer.lines());
    for process in [consumer, commerce, identity] {
        process.kill().await;
    }
}
