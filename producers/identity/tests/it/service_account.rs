//! Service accounts.

use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::site::{Answered, Person, Site};

fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}

async fn exchange(site: &Site, name: &str, secret: &str) -> Answered {
    let call = site.call(Method::POST, "/tokens").with("authorization", &basic(name, secret));
    call.json(json!({"grant_type": "service_account"})).send().await
}

async fn make(site: &Site, by: &Person, name: &str, roles: &[&str]) -> Answered {
    site.post("/service-accounts").by(by).json(json!({"name": name, "roles": roles})).send().await
}

fn secret(answered: &Answered) -> String {
    answered.body["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_secret_is_shown_once_and_exchanged_for_a_token() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let create = || {
        let call = site.call(Method::POST, "/service-accounts").by(&admin).once("k-1");
        call.json(json!({"name": "till-gateway", "roles": ["OWNER"]})).send()
    };
    let made = create().await.expect(201);
    let secret = secret(&made);
    let granted = exchange(&site, "till-gateway", &secret).await.expect(200);
    assert_eq!(granted.body.get("refresh_token"), None);
    let bearer = format!("Bearer {}", granted.body["access_token"].as_str().unwrap());
    let me = site.get("/me").with("authorization", &bearer).send().await.expect(200).body;
    assert_eq!((&me["kind"], &me["name"]), (&"service".into(), &"till-gateway".into()));
    // Basic credentials are as good as the token, with identity as with any shell.
    site.get("/me").with("authorization", &basic("till-gateway", &secret)).send().await.expect(200);

    let again = create().await.expect(201);
    assert_eq!((again.body.get("secret"), &again.body["id"]), (None, &made.body["id"]));
    for table in ["service_account", "idempotency_key"] {
        let dump = format!("select string_agg(encode(convert_to(t::text, 'utf8'), 'escape'), ' ') from {table} t");
        let dump: String = sqlx::query_scalar(sqlx::AssertSqlSafe(dump)).fetch_one(&site.database.pool).await.unwrap();
        assert!(!dump.contains(&secret), "{table}");
    }
    let body: Vec<u8> =
        sqlx::query_scalar("select body from idempotency_key").fetch_one(&site.database.pool).await.unwrap();
    assert!(!String::from_utf8(body).unwrap().contains("slsk_"));
}

#[tokio::test]
async fn wrong_unknown_and_malformed_credentials_are_refused_alike() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let secret = secret(&make(&site, &admin, "worker", &[]).await.expect(201));
    for (name, secret) in [("worker", "slsk_wrong"), ("nobody", secret.as_str()), ("", ""), ("worker", "")] {
        exchange(&site, name, secret).await.refused(401, "CREDENTIALS_REFUSED");
    }
    for header in ["Basic", "Basic !!", "Bearer x"] {
        let call = site.call(Method::POST, "/tokens").with("authorization", header);
        call.json(json!({"grant_type": "service_account"})).send().await.expect(401);
    }
    exchange(&site, "worker", &secret).await.expect(200);
}

#[tokio::test]
async fn a_rotated_secret_overlaps_for_as_long_as_was_said() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let made = make(&site, &admin, "worker", &[]).await.expect(201);
    let (old, path) = (secret(&made), format!("/service-accounts/{}", made.body["id"].as_str().unwrap()));
    let rotate = |etag: &'static str, seconds: u32| {
        let call = site.call(Method::POST, format!("{path}/secret")).by(&admin).if_match(etag);
        call.json(json!({"keep_old_for_seconds": seconds})).send()
    };
    let new = secret(&rotate("\"1\"", 3600).await.expect(200));
    rotate("\"1\"", 3600).await.expect(412);
    exchange(&site, "worker", &old).await.expect(200);
    exchange(&site, "worker", &new).await.expect(200);
    site.clock.advance(Duration::from_hours(1));
    exchange(&site, "worker", &old).await.expect(401);
    exchange(&site, "worker", &new).await.expect(200);
}

#[tokio::test]
async fn a_secret_that_leaked_ends_at_once() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let made = make(&site, &admin, "worker", &[]).await.expect(201);
    let path = format!("/service-accounts/{}", made.body["id"].as_str().unwrap());
    let rotate = site.call(Method::POST, format!("{path}/secret")).by(&admin).if_match("\"1\"");
    let rotated = rotate.json(json!({"keep_old_for_seconds": 0})).send().await.expect(200);
    exchange(&site, "worker", &secret(&made)).await.expect(401);
    let disabled = site.patch(&path).by(&admin).if_match(rotated.etag()).json(json!({"status": "DISABLED"}));
    let disabled = disabled.send().await.expect(200);
    exchange(&site, "worker", &secret(&rotated)).await.expect(401);
    site.delete(&path).by(&admin).if_match(disabled.etag()).send().await.expect(204);
    site.get(&path).by(&admin).send().await.expect(404);
    make(&site, &admin, "worker", &[]).await.refused(409, "NAME_TAKEN");
}

#[tokio::test]
async fn an_admin_cannot_make_or_take_over_an_account_that_ranks_as_high() {
    let site = Site::new().await;
    let (root, admin) = (site.person(&["SUPER_ADMIN"]).await, site.person(&["ADMIN"]).await);
    for role in ["SUPER_ADMIN", "ADMIN"] {
        make(&site, &admin, "mine", &["OWNER", role]).await.refused(403, "RANK");
    }
    let made = make(&site, &root, "platform", &["ADMIN"]).await.expect(201);
    let path = format!("/service-accounts/{}", made.body["id"].as_str().unwrap());
    let rotate = site.call(Method::POST, format!("{path}/secret")).by(&admin).if_match("*");
    rotate.json(json!({"keep_old_for_seconds": 0})).send().await.refused(403, "RANK");
    let low = make(&site, &admin, "low", &["CASHIER"]).await.expect(201);
    let low = format!("/service-accounts/{}", low.body["id"].as_str().unwrap());
    let raise = |path: &str, body: Value| site.patch(path).by(&admin).if_match("*").json(body).send();
    raise(&low, json!({"roles": ["CASHIER", "ADMIN"]})).await.refused(403, "RANK");
    raise(&path, json!({"status": "DISABLED"})).await.refused(403, "RANK");
    site.delete(&path).by(&admin).if_match("*").send().await.refused(403, "RANK");
    raise(&low, json!({"roles": ["EMPLOYEE"], "description": "Kho"})).await.expect(200);

    // The account itself does not raise itself either.
    let basic = basic("platform", &secret(&made));
    let itself = site.patch(&path).with("authorization", &basic).if_match("*").json(json!({"roles": ["SUPER_ADMIN"]}));
    itself.send().await.refused(403, "RANK");
}

#[tokio::test]
async fn accounts_are_listed_to_administrators_with_a_cursor() {
    let site = Site::new().await;
    let (admin, owner) = (site.person(&["ADMIN"]).await, site.person(&["OWNER"]).await);
    for number in 0..3 {
        make(&site, &admin, &format!("worker-{number}"), &[]).await.expect(201);
    }
    site.get("/service-accounts").by(&owner).send().await.expect(403);
    let first = site.get("/service-accounts?limit=2").by(&admin).send().await.expect(200).body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second =
        site.get(format!("/service-accounts?limit=2&cursor={cursor}")).by(&admin).send().await.expect(200).body;
    let names = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!([names(&first), names(&second)].concat(), ["worker-2", "worker-1", "worker-0"]);
    assert!(!first.to_string().contains("secret"));
}
