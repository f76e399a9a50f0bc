//! Tokens that identity did not issue, or not for this, or not any more.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::signing_key::keypair::KeyPair;
use identity::token::access::{self, Subject};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use platform::clock::Clock as _;
use platform::random::SystemRandom;
use serde_json::{Value, json};
use shell::authority::Kind;

use crate::site::{Answered, Person, Site};

async fn me(site: &Site, token: &str) -> Answered {
    site.get("/me").with("authorization", &format!("Bearer {token}")).send().await
}

/// What a good token of the person says, as JSON that can be changed.
fn claims(site: &Site, person: &Person) -> Value {
    let subject = Subject { id: person.id, kind: Kind::User, roles: vec!["OWNER".into()], merchants: Vec::new() };
    serde_json::to_value(access::claims(&subject, site.clock.now(), &SystemRandom)).unwrap()
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[tokio::test]
async fn claims_that_are_wrong_in_one_point_are_refused() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let (good, now) = (claims(&site, &owner), site.clock.now().unix_timestamp());
    let signer = site.app.keys.signer().await.unwrap();
    me(&site, &signer.sign("JWT", &good).unwrap()).await.expect(200);
    for (name, value, code) in [
        ("aud", json!("another"), "TOKEN_REFUSED"),
        ("aud", Value::Null, "TOKEN_REFUSED"),
        ("iss", json!("somebody"), "TOKEN_REFUSED"),
        ("exp", json!(now - 60), "TOKEN_EXPIRED"),
        ("exp", Value::Null, "TOKEN_REFUSED"),
        ("nbf", json!(now + 3600), "TOKEN_REFUSED"),
        ("sub", json!("'; drop table app_user"), "TOKEN_REFUSED"),
        ("sub", Value::Null, "TOKEN_REFUSED"),
    ] {
        let token = signer.sign("JWT", &with(good.clone(), name, value.clone())).unwrap();
        let refused = me(&site, &token).await.expect(401);
        assert_eq!(refused.code(), code, "{name} = {value}");
    }
}

#[tokio::test]
async fn another_key_no_algorithm_and_the_public_key_as_a_secret_are_refused() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let good = claims(&site, &owner);
    let jwk = site.app.keys.signer().await.unwrap().jwk().clone();
    let kid = jwk.kid.clone();

    let stranger = KeyPair::generate(&SystemRandom).unwrap();
    me(&site, &stranger.sign("JWT", &good).unwrap()).await.refused(401, "TOKEN_REFUSED");

    // The stranger's signature under our key's name.
    let token = stranger.sign("JWT", &good).unwrap();
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "ES256", "typ": "JWT", "kid": kid}).to_string());
    let (_, rest) = token.split_once('.').unwrap();
    me(&site, &format!("{header}.{rest}")).await.refused(401, "TOKEN_REFUSED");

    let payload = URL_SAFE_NO_PAD.encode(good.to_string());
    for alg in ["none", "None", "NONE", ""] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "JWT", "kid": kid}).to_string());
        me(&site, &format!("{header}.{payload}.")).await.expect(401);
    }

    let header = Header { kid: Some(kid), ..Header::new(Algorithm::HS256) };
    for secret in [jwk.x.as_bytes(), jwk.y.as_bytes()] {
        let token = jsonwebtoken::encode(&header, &good, &EncodingKey::from_secret(secret)).unwrap();
        me(&site, &token).await.refused(401, "TOKEN_REFUSED");
    }
}

#[tokio::test]
async fn a_changed_payload_is_refused_and_so_is_what_is_no_token() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let parts: Vec<&str> = owner.token.split('.').collect();
    let raised = with(claims(&site, &owner), "roles", json!(["SUPER_ADMIN"])).to_string();
    let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(raised), parts[2]);
    me(&site, &forged).await.refused(401, "TOKEN_REFUSED");
    for token in ["", "x", "a.b.c", "..", &format!("{}.{}.", parts[0], parts[1]), &owner.token.repeat(2)] {
        me(&site, token).await.expect(401);
    }
    site.get("/me").with("authorization", &format!("Digest {}", owner.token)).send().await.expect(401);
}

#[tokio::test]
async fn the_bundle_is_no_access_token_and_a_refresh_token_neither() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let bundle = site.get("/policies/bundle").send().await.expect(200).body;
    me(&site, bundle.as_str().unwrap()).await.expect(401);
    let refresh = site.sign_in(&owner.email).await.expect(200).body["refresh_token"].clone();
    me(&site, refresh.as_str().unwrap()).await.expect(401);
}
