//! Policy definitions and the bundle.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::signing_key::keypair::jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use shell::authority::{Bundle, Policies};

use crate::site::{Person, Site};

fn definition(role: &str, resource: &str, action: &str, effect: &str) -> Value {
    json!({"role": role, "service": "commerce", "resource": resource, "action": action, "effect": effect})
}

/// The bundle as it is served, its signature verified by the keys as they are served.
async fn bundle(site: &Site) -> Bundle {
    let served = site.get("/policies/bundle").send().await.expect(200);
    assert_eq!(served.headers["content-type"], "application/jwt");
    let signed = served.body.as_str().unwrap().to_owned();
    let header = jsonwebtoken::decode_header(&signed).unwrap();
    assert_eq!((header.typ.as_deref(), header.alg), (Some("sluice-policy+jwt"), Algorithm::ES256));
    let keys = site.get("/jwks.json").send().await.expect(200).body;
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header.kid.clone().unwrap()).unwrap();
    let (x, y) = (key["x"].as_str().unwrap(), key["y"].as_str().unwrap());
    assert_eq!(jwk(x, y).kid, header.kid.unwrap(), "the kid is the thumbprint");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    jsonwebtoken::decode(&signed, &DecodingKey::from_ec_components(x, y).unwrap(), &validation).unwrap().claims
}

async fn create(site: &Site, admin: &Person, body: Value) -> Value {
    site.post("/policies").by(admin).json(body).send().await.expect(201).body
}

#[tokio::test]
async fn every_change_raises_the_version_and_is_in_the_bundle() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let seeded = bundle(&site).await;
    let made = create(&site, &admin, definition("CASHIER", "product", "update", "allow")).await;
    let path = format!("/policies/{}", made["id"].as_str().unwrap());
    let added = bundle(&site).await;
    assert!(added.version > seeded.version);
    assert_eq!(added.rules.len(), seeded.rules.len() + 1);

    let patched =
        site.patch(&path).by(&admin).if_match("\"1\"").json(json!({"effect": "deny"})).send().await.expect(200);
    let denied = bundle(&site).await;
    assert!(denied.version > added.version);
    let rule = denied.rules.iter().find(|rule| rule.role == "CASHIER" && rule.action == "update").unwrap();
    assert_eq!(rule.effect, "deny");

    site.delete(&path).by(&admin).if_match(patched.etag()).send().await.expect(204);
    let back = bundle(&site).await;
    assert!(back.version > denied.version);
    assert_eq!(back.rules, seeded.rules);
    site.get(&path).by(&admin).send().await.expect(404);
}

#[tokio::test]
async fn a_statement_typed_by_hand_raises_the_version_too() {
    let site = Site::new().await;
    let before = bundle(&site).await.version;
    let by_hand = sqlx::query("update policy set deleted_at = now() where role = 'CASHIER' and resource = 'product'");
    by_hand.execute(&site.database.pool).await.unwrap();
    assert!(bundle(&site).await.version > before);
}

#[tokio::test]
async fn shells_can_decide_by_the_seeded_bundle() {
    let site = Site::new().await;
    let policies = Policies::of(&bundle(&site).await).await.unwrap();
    let may = |role: &str, service: &str, resource: &str, action: &str| {
        !policies.allowing(&[role.to_owned()], service, resource, action).unwrap().is_empty()
    };
    assert!(may("EMPLOYEE", "commerce", "product", "update") && may("CASHIER", "commerce", "product", "read"));
    assert!(!may("CASHIER", "commerce", "product", "update") && !may("EMPLOYEE", "commerce", "integration", "read"));
    assert!(may("OWNER", "commerce", "integration", "create") && may("OWNER", "identity", "user", "create"));
    assert!(!may("OWNER", "identity", "user", "grant-merchants") && !may("EMPLOYEE", "identity", "user", "read"));
    assert!(may("ADMIN", "identity", "signing-key", "rotate") && may("SUPER_ADMIN", "invoice", "x", "y"));
}

#[tokio::test]
async fn identity_decides_by_a_change_at_once() {
    let site = Site::new().await;
    let (admin, employee) = (site.person(&["ADMIN"]).await, site.person(&["EMPLOYEE"]).await);
    site.get("/roles").by(&employee).send().await.refused(403, "FORBIDDEN");
    let rule =
        json!({"role": "EMPLOYEE", "service": "identity", "resource": "role", "action": "read", "effect": "allow"});
    let made = create(&site, &admin, rule).await;
    site.get("/roles").by(&employee).send().await.expect(200);
    let path = format!("/policies/{}", made["id"].as_str().unwrap());
    site.delete(path).by(&admin).if_match("*").send().await.expect(204);
    site.get("/roles").by(&employee).send().await.expect(403);
}

#[tokio::test]
async fn definitions_that_are_taken_or_unusable_are_refused() {
    let site = Site::new().await;
    let admin = site.person(&["SUPER_ADMIN"]).await;
    let post = |body: Value| site.post("/policies").by(&admin).json(body).send();
    post(definition("CASHIER", "product", "read", "deny")).await.refused(409, "POLICY_EXISTS");
    for (body, pointer) in [
        (definition("ADMIN", "product", "read", "deny"), "/role"),
        (definition("SUPER_ADMIN", "*", "*", "deny"), "/role"),
        (definition("NOBODY", "product", "read", "allow"), "/role"),
        (definition("CASHIER", "Product", "read", "allow"), "/resource"),
        (definition("CASHIER", "product", "re*", "allow"), "/action"),
        (definition("CASHIER", "product", "read", "maybe"), "/effect"),
        (json!({"role": "CASHIER", "service": "shop", "resource": "*", "action": "*", "effect": "allow"}), "/service"),
    ] {
        let refused = post(body.clone()).await.expect(422);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}");
    }
}

#[tokio::test]
async fn a_stale_version_is_refused_and_two_of_one_definition_cannot_meet() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let made = create(&site, &admin, definition("CASHIER", "category", "update", "allow")).await;
    let path = format!("/policies/{}", made["id"].as_str().unwrap());
    let change = |etag: &str, body: Value| site.patch(&path).by(&admin).if_match(etag).json(body).send();
    change("\"1\"", json!({"action": "delete"})).await.expect(200);
    change("\"1\"", json!({"action": "create"})).await.refused(412, "VERSION_MISMATCH");
    change("\"2\"", json!({"action": "read"})).await.refused(409, "POLICY_EXISTS");
    site.patch(&path).by(&admin).json(json!({})).send().await.expect(428);
}

#[tokio::test]
async fn definitions_are_listed_by_role_and_service_with_a_cursor() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let page = |more: String| {
        let path = format!("/policies?role=CASHIER&service=commerce{more}");
        async { site.get(path).by(&admin).send().await.expect(200).body }
    };
    let whole = page("&limit=200".to_owned()).await;
    let items = whole["items"].as_array().unwrap();
    assert!(items.len() > 2 && items.iter().all(|item| item["role"] == "CASHIER" && item["service"] == "commerce"));
    let first = page("&limit=2".to_owned()).await;
    let rest = page(format!("&limit=200&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    let both = [first["items"].as_array().unwrap().as_slice(), rest["items"].as_array().unwrap()].concat();
    assert_eq!(&both, items);
}

#[tokio::test]
async fn the_bundle_is_kept_while_nothing_changes_and_signed_anew_after_a_rotation() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let jws = || async { site.get("/policies/bundle").send().await.expect(200).body };
    let first = jws().await;
    assert_eq!(jws().await, first);
    site.post("/signing-keys").by(&admin).send().await.expect(201);
    let kid = |jws: &Value| jsonwebtoken::decode_header(jws.as_str().unwrap()).unwrap().kid;
    assert_ne!(kid(&jws().await), kid(&first));
    site.clock.advance(std::time::Duration::from_secs(21));
    let payload = |jws: &Value| {
        let part = jws.as_str().unwrap().split('.').nth(1).unwrap().to_owned();
        serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(
        payload(&jws().await)["issued_at"].as_i64().unwrap(),
        payload(&first)["issued_at"].as_i64().unwrap() + 21
    );
}
