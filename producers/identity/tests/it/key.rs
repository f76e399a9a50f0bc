//! Signing keys and their rotation.

use identity::signing_key::ring::{RETIREMENT, RingError};
use identity::token::access;
use serde_json::Value;

use crate::site::{Site, build, environment};

async fn served(site: &Site) -> Vec<String> {
    let jwks = site.get("/jwks.json").send().await.expect(200).body;
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn after_a_rotation_the_old_token_still_verifies_and_new_ones_have_the_new_key() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let before = served(&site).await;
    let made = site.post("/signing-keys").by(&admin).send().await.expect(201).body;
    assert_eq!(made["status"], "ACTIVE");
    site.get("/me").by(&admin).send().await.expect(200);

    let granted = site.sign_in(&admin.email).await.expect(200);
    let token = granted.body["access_token"].as_str().unwrap();
    assert_eq!(jsonwebtoken::decode_header(token).unwrap().kid.as_deref(), made["kid"].as_str());
    site.get("/me").with("authorization", &format!("Bearer {token}")).send().await.expect(200);

    let after = served(&site).await;
    assert_eq!(after.len(), 2);
    assert!(after.contains(&before[0]) && made["kid"] == Value::String(after[0].clone()));
    let listed = site.get("/signing-keys").by(&admin).send().await.expect(200).body;
    let statuses: Vec<_> = listed["items"].as_array().unwrap().iter().map(|key| key["status"].clone()).collect();
    assert_eq!(statuses, ["ACTIVE", "RETIRED"]);
    assert!(!listed.to_string().contains("private"));
}

#[tokio::test]
async fn a_retired_key_leaves_the_set_only_after_its_last_token_has_expired() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let old = served(&site).await.remove(0);
    site.post("/signing-keys").by(&admin).send().await.expect(201);
    site.clock.advance(access::LIFETIME + access::LEEWAY);
    assert!(served(&site).await.contains(&old), "a token signed in the last moment is still good");
    site.clock.advance(RETIREMENT.saturating_sub(access::LIFETIME + access::LEEWAY));
    assert_eq!(served(&site).await.len(), 1);
    assert!(!served(&site).await.contains(&old));
    // What was verified with it once is not good for ever either.
    site.app.kit.gate().refresh().await.unwrap();
    site.get("/me").by(&admin).send().await.expect(401);
}

#[tokio::test]
async fn two_rotations_at_once_leave_one_key_that_signs() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let rotate = || site.post("/signing-keys").by(&admin).send();
    let answers = futures::future::join_all((0..4).map(|_| rotate())).await;
    assert!(answers.iter().any(|answer| answer.status == 201), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.status == 409), "{answers:?}");
    let active: i64 = sqlx::query_scalar("select count(*) from signing_key where retired_at is null")
        .fetch_one(&site.database.pool)
        .await
        .unwrap();
    assert_eq!(active, 1);
    site.sign_in(&admin.email).await.expect(200);
}

#[tokio::test]
async fn replicas_that_start_together_make_one_key() {
    let database = bed::database("identity").await;
    let clock = platform::clock::ManualClock::at(time::OffsetDateTime::now_utc());
    let replicas: Vec<_> = (0..4).map(|_| build(&database, clock.clone(), &environment(&"ab".repeat(32)))).collect();
    let signers = futures::future::join_all(replicas.iter().map(|app| app.keys.signer())).await;
    let mut kids: Vec<_> = signers.into_iter().map(|signer| signer.unwrap().jwk().kid.clone()).collect();
    kids.dedup();
    assert_eq!(kids.len(), 1);
}

#[tokio::test]
async fn a_replica_signs_with_the_new_key_right_after_another_rotated() {
    let site = Site::new().await;
    let other = build(&site.database, site.clock.clone(), &environment(&"ab".repeat(32)));
    let before = other.keys.signer().await.unwrap().jwk().kid.clone();
    let admin = site.person(&["ADMIN"]).await;
    site.post("/signing-keys").by(&admin).send().await.expect(201);
    assert_ne!(other.keys.signer().await.unwrap().jwk().kid, before);
}

#[tokio::test]
async fn a_rotated_application_secret_reseals_and_a_lost_one_is_told() {
    let site = Site::new().await;
    let kid = site.app.keys.signer().await.unwrap().jwk().kid.clone();
    let app = |environment| build(&site.database, site.clock.clone(), &environment);
    let lost = app(environment(&"ef".repeat(32)));
    assert!(matches!(lost.keys.signer().await, Err(RingError::Sealed { kid: told, .. }) if told == kid));

    let rotated = environment(&"ef".repeat(32)).with("APP_ENV_APPLICATION_SECRET_PREVIOUS", "ab".repeat(32));
    identity::housekeeping::tidy(&app(rotated).identity).await.unwrap();
    let today = app(environment(&"ef".repeat(32)));
    assert_eq!(today.keys.signer().await.unwrap().jwk().kid, kid);
}

#[tokio::test]
async fn a_private_half_copied_to_another_row_does_not_open() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    site.post("/signing-keys").by(&admin).send().await.expect(201);
    sqlx::query(
        "update signing_key set private_sealed = (select private_sealed from signing_key where retired_at is not null)
         where retired_at is null",
    )
    .execute(&site.database.pool)
    .await
    .unwrap();
    let fresh = build(&site.database, site.clock.clone(), &environment(&"ab".repeat(32)));
    assert!(matches!(fresh.keys.signer().await, Err(RingError::Sealed { .. })));
}

#[tokio::test]
async fn a_rotation_that_is_repeated_with_its_key_is_one_rotation() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let rotate = || site.call(axum::http::Method::POST, "/signing-keys").by(&admin).once("r-1").send();
    let (first, second) = (rotate().await.expect(201), rotate().await.expect(201));
    assert_eq!(first.body, second.body);
    assert_eq!(served(&site).await.len(), 2);
}
