//! Signing in.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use shell::authority::Claims;

use crate::site::{PASSWORD, Site};

fn password(email: &str, password: &str) -> Value {
    json!({"grant_type": "password", "email": email, "password": password})
}

/// A problem without what differs between any two requests.
fn anonymous(mut body: Value) -> Value {
    for member in ["request_id", "trace_id"] {
        body.as_object_mut().unwrap().remove(member);
    }
    body
}

#[tokio::test]
async fn the_right_password_gives_a_token_that_every_shell_accepts() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER", "CASHIER"]).await;
    let granted = site.sign_in(&owner.email.to_uppercase()).await.expect(200);
    assert_eq!(granted.headers["cache-control"], "no-store");
    assert_eq!((&granted.body["token_type"], &granted.body["expires_in"]), (&"Bearer".into(), &900.into()));

    let token = granted.body["access_token"].as_str().unwrap();
    let jwks = site.get("/jwks.json").send().await.expect(200).body;
    let key = &jwks["keys"][0];
    assert_eq!(jsonwebtoken::decode_header(token).unwrap().kid.as_deref(), key["kid"].as_str());
    let key = DecodingKey::from_ec_components(key["x"].as_str().unwrap(), key["y"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["sluice"]);
    validation.set_issuer(&["sluice-identity"]);
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).unwrap().claims;
    assert_eq!(claims.sub, owner.id.to_string());
    assert_eq!(claims.roles, ["CASHIER", "OWNER"]);
    site.get("/me").with("authorization", &format!("Bearer {token}")).send().await.expect(200);
}

#[tokio::test]
async fn unknown_disabled_deleted_and_wrong_are_refused_by_one_sentence() {
    let site = Site::new().await;
    let (known, disabled, deleted) =
        (site.person(&["OWNER"]).await, site.person(&["OWNER"]).await, site.person(&["OWNER"]).await);
    for (sql, id) in [
        ("update app_user set status = 'DISABLED' where id = $1", disabled.id),
        ("update app_user set deleted_at = now() where id = $1", deleted.id),
    ] {
        sqlx::query(sql).bind(id).execute(&site.database.pool).await.unwrap();
    }
    let wrong = site.grant_from(password(&known.email, "một mật khẩu khác"), "192.0.2.1").await;
    let expected = wrong.refused(401, "CREDENTIALS_REFUSED");
    assert_eq!(expected.body["detail"], "the credentials are not valid");
    for (email, address) in [
        (disabled.email.as_str(), "192.0.2.2"),
        (deleted.email.as_str(), "192.0.2.3"),
        ("nobody@example.vn", "192.0.2.4"),
        ("not an address", "192.0.2.5"),
        ("", "192.0.2.6"),
    ] {
        let refused = site.grant_from(password(email, PASSWORD), address).await.expect(401);
        assert_eq!(anonymous(refused.body), anonymous(expected.body.clone()), "{email}");
        assert_eq!(refused.headers["www-authenticate"], expected.headers["www-authenticate"]);
    }
}

#[tokio::test]
async fn an_answer_with_tokens_is_kept_nowhere_even_with_an_idempotency_key() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let body = password(&owner.email, PASSWORD);
    let first = site.post("/tokens").once("the-same").json(body.clone()).send().await.expect(200);
    let second = site.post("/tokens").once("the-same").json(body).send().await.expect(200);
    assert_ne!(first.body["access_token"], second.body["access_token"]);
    let kept: i64 =
        sqlx::query_scalar("select count(*) from idempotency_key").fetch_one(&site.database.pool).await.unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn what_is_no_grant_is_refused_before_anything_is_counted() {
    let site = Site::new().await;
    for body in [
        json!({}),
        json!({"grant_type": "implicit"}),
        json!({"grant_type": "password", "email": "a@b.vn"}),
        json!({"grant_type": "password", "email": "a@b.vn", "password": "x", "otp": 1}),
        json!({"grant_type": "password", "email": "a@b.vn", "password": "x".repeat(1001)}),
        json!({"grant_type": "refresh_token", "refresh_token": 7}),
        json!([]),
    ] {
        site.grant(body).await.expect(422);
    }
    site.call(axum::http::Method::POST, "/tokens").send().await.expect(415);
    let counted: i64 =
        sqlx::query_scalar("select count(*) from login_throttle").fetch_one(&site.database.pool).await.unwrap();
    assert_eq!(counted, 0);
}

#[tokio::test]
async fn a_hash_of_yesterdays_parameters_is_renewed_at_sign_in() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let weak = argon2::Params::new(8 * 1024, 1, 1, None).unwrap();
    let weak = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, weak);
    let old =
        argon2::PasswordHasher::hash_password_with_salt(&weak, PASSWORD.as_bytes(), &[7; 16]).unwrap().to_string();
    let set = sqlx::query("update app_user set password_hash = $2 where id = $1").bind(owner.id).bind(old);
    set.execute(&site.database.pool).await.unwrap();
    site.sign_in(&owner.email).await.expect(200);
    let now: String = sqlx::query_scalar("select password_hash from app_user where id = $1")
        .bind(owner.id)
        .fetch_one(&site.database.pool)
        .await
        .unwrap();
    assert!(now.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{now}");
    site.sign_in(&owner.email).await.expect(200);
}

#[tokio::test]
async fn a_changed_password_ends_every_sign_in_and_needs_the_present_one() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let refresh = site.sign_in(&owner.email).await.expect(200).body["refresh_token"].clone();
    let change = |current: &str, new: &str| {
        site.put("/me/password").by(&owner).json(json!({"current_password": current, "new_password": new}))
    };
    change("sai mật khẩu rồi", "một câu mới thật dài").send().await.expect(422);
    let weak = change(PASSWORD, "password1234").send().await.refused(422, "INVALID");
    assert_eq!(weak.body["errors"][0]["code"], "WEAK_PASSWORD");
    change(PASSWORD, "một câu mới thật dài").send().await.expect(204);
    site.grant(json!({"grant_type": "refresh_token", "refresh_token": refresh})).await.expect(401);
    site.sign_in(&owner.email).await.expect(401);
    site.grant(password(&owner.email, "một câu mới thật dài")).await.expect(200);
}

#[tokio::test]
async fn me_says_who_asks() {
    let site = Site::new().await;
    let cashier = site.person(&["CASHIER"]).await;
    let me = site.get("/me").by(&cashier).send().await.expect(200).body;
    assert_eq!(
        (&me["email"], &me["roles"][0], &me["kind"]),
        (&cashier.email.clone().into(), &"CASHIER".into(), &"user".into())
    );
    site.get("/me").send().await.expect(401);
    let gone = sqlx::query("update app_user set deleted_at = now() where id = $1").bind(cashier.id);
    gone.execute(&site.database.pool).await.unwrap();
    site.get("/me").by(&cashier).send().await.expect(401);
}
