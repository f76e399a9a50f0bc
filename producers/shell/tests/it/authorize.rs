//! Who may, with and without Redis.

use std::time::Duration;

use platform::redis::Cache;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest, Sha256};
use shell::authority::Bundle;

use crate::service::{Odd, refused, start, start_odd};

pub(crate) fn redis() -> Cache {
    Cache::connect_with(bed::environment().get("APP_ENV_REDIS_URL").unwrap(), Duration::from_secs(30)).unwrap()
}

#[tokio::test]
async fn without_credentials_it_answers_401_and_says_how() {
    let service = start().await;
    let url = format!("{}/v1/api/commerce/widgets", service.url);
    let answer = service.client.get(&url).send().await.unwrap();
    assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    refused(answer, 401, "CREDENTIALS_REQUIRED").await;
    refused(service.client.get(&url).bearer_auth("x.y.z").send().await.unwrap(), 401, "TOKEN_REFUSED").await;
    let digest = service.client.get(&url).header("authorization", "Digest x").send().await.unwrap();
    refused(digest, 401, "CREDENTIALS_REFUSED").await;
    // 401 comes before anything about the body.
    refused(service.client.post(&url).body("{").send().await.unwrap(), 401, "CREDENTIALS_REQUIRED").await;
}

#[tokio::test]
async fn a_service_account_comes_in_with_basic_credentials() {
    let service = start().await;
    let url = format!("{}/v1/api/commerce/widgets", service.url);
    let ask = |password: &'static str| service.client.get(&url).basic_auth("robot", Some(password)).send();
    assert_eq!(ask("right").await.unwrap().status(), 200);
    refused(ask("wrong").await.unwrap(), 401, "CREDENTIALS_REFUSED").await;
}

#[tokio::test]
async fn a_role_without_a_policy_answers_403() {
    let service = start().await;
    let answer = service.ask_as(7, &["CASHIER"], &[5], Method::GET, "/widgets").send().await.unwrap();
    refused(answer, 403, "FORBIDDEN").await;
}

#[tokio::test]
async fn with_redis_down_it_still_decides_and_lets_nobody_in() {
    let cache = Cache::connect("redis://127.0.0.1:1/0").unwrap();
    let service = start_odd(Odd { cache: Some(cache), ..Odd::default() }).await;
    assert_eq!(service.ask(Method::GET, "/widgets").send().await.unwrap().status(), 200);
    let answer = service.ask_as(7, &["CASHIER"], &[5], Method::GET, "/widgets").send().await.unwrap();
    refused(answer, 403, "FORBIDDEN").await;
    let ready = service.client.get(format!("{}/readyz", service.url)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
}

/// The key of a decision of the kit under generation 0, as the gate makes it.
pub(crate) fn decision_key(bundle: &Bundle, role: &str, resource: &str) -> String {
    let question = json!([hex::encode(bundle.edition()), "commerce", [role], resource, "read"]).to_string();
    platform::cache_key::authz_decision(0, &hex::encode(&Sha256::digest(question)[..16]))
}

#[tokio::test]
async fn a_decision_is_kept_in_redis_and_a_forged_one_lets_nobody_in() {
    let (cache, resource) = (redis(), bed::unique("resource"));
    let service = start_odd(Odd { cache: Some(cache.clone()), ..Odd::default() }).await;
    let gate = service.kit.gate();
    let cashier = ["CASHIER".to_owned()];
    assert!(gate.allowing(&cashier, &resource, "read").await.unwrap().is_empty());
    let bundle = service.issuer.backup();
    let genuine = cache.get(&decision_key(&bundle, "CASHIER", &resource)).await.expect("the decision is in redis");
    assert_eq!(genuine.split('.').nth(1), Some(""));
    let resource = bed::unique("resource");
    let signature = genuine.split('.').next().unwrap();
    let forged = format!("{signature}.CASHIER");
    cache.set(&decision_key(&bundle, "CASHIER", &resource), &forged, Duration::from_mins(1)).await;
    assert!(gate.allowing(&cashier, &resource, "read").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_in_redis_brings_a_changed_policy_at_once() {
    let cache = redis();
    let service = start_odd(Odd { cache: Some(cache.clone()), ..Odd::default() }).await;
    let gate = service.kit.gate();
    let stop = service.kit.lifecycle().stop();
    let fresh = tokio::spawn(gate.clone().keep_fresh(stop.clone()));
    service.issuer.set_rules(&[("CASHIER", "commerce", "widget", "read", "allow")]);
    // The message may come before the subscription: whoever publishes repeats it here, as changes do in real life.
    let cashier = ["CASHIER".to_owned()];
    while gate.allowing(&cashier, "widget", "read").await.unwrap().is_empty() {
        cache.publish(platform::cache_key::AUTHZ_CHANNEL, "1").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    fresh.await.unwrap();
}

#[tokio::test]
async fn a_shell_that_never_had_policies_answers_503_and_is_not_ready() {
    let service = start().await;
    let issuer = service.issuer.clone();
    let kit = shell::Kit::new(
        platform::service::Service::COMMERCE,
        crate::service::settings(&[]),
        crate::service::outside(&issuer, None),
    );
    let (ready, report) = kit.readiness().report().await;
    assert!(!ready, "{report}");
    let problem = kit.gate().allowing(&["ADMIN".to_owned()], "widget", "read").await.unwrap_err();
    assert_eq!((problem.status.as_u16(), problem.code.as_ref()), (503, "AUTHORITY_UNAVAILABLE"));
}
