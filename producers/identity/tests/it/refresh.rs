//! Refresh tokens.

use std::time::Duration;

use serde_json::{Value, json};

use crate::site::{Answered, Site};

async fn renew(site: &Site, token: &Value) -> Answered {
    site.grant(json!({"grant_type": "refresh_token", "refresh_token": token})).await
}

async fn signed_in(site: &Site, email: &str) -> Value {
    site.sign_in(email).await.expect(200).body["refresh_token"].clone()
}

#[tokio::test]
async fn a_refresh_token_gives_the_next_one_and_the_roles_of_now() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let first = signed_in(&site, &owner.email).await;
    sqlx::query("update user_role set role = 'CASHIER' where user_id = $1")
        .bind(owner.id)
        .execute(&site.database.pool)
        .await
        .unwrap();
    let renewed = renew(&site, &first).await.expect(200).body;
    assert_ne!(renewed["refresh_token"], first);
    let bearer = format!("Bearer {}", renewed["access_token"].as_str().unwrap());
    site.get("/users").with("authorization", &bearer).send().await.expect(403);
    renew(&site, &renewed["refresh_token"]).await.expect(200);
}

#[tokio::test]
async fn a_used_token_that_comes_back_ends_the_whole_sign_in_and_no_other() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let (stolen, other) = (signed_in(&site, &owner.email).await, signed_in(&site, &owner.email).await);
    let second = renew(&site, &stolen).await.expect(200).body["refresh_token"].clone();
    let third = renew(&site, &second).await.expect(200).body["refresh_token"].clone();
    renew(&site, &stolen).await.refused(401, "CREDENTIALS_REFUSED");
    renew(&site, &third).await.expect(401);
    renew(&site, &other).await.expect(200);
}

#[tokio::test]
async fn one_token_used_by_many_at_once_is_used_once_and_then_nobody_has_a_good_one() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    for _ in 0..3 {
        let token = signed_in(&site, &owner.email).await;
        let answers = futures::future::join_all((0..6).map(|_| renew(&site, &token))).await;
        let granted: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(granted.len(), 1, "{answers:?}");
        renew(&site, &granted[0].body["refresh_token"]).await.expect(401);
    }
}

#[tokio::test]
async fn a_family_that_is_revoked_while_it_is_renewed_has_no_survivor() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    for _ in 0..5 {
        let used = signed_in(&site, &owner.email).await;
        let current = renew(&site, &used).await.expect(200).body["refresh_token"].clone();
        futures::future::join(renew(&site, &current), renew(&site, &used)).await;
        let alive: i64 = sqlx::query_scalar(
            "select count(*) from refresh_token where user_id = $1 and used_at is null and revoked_at is null",
        )
        .bind(owner.id)
        .fetch_one(&site.database.pool)
        .await
        .unwrap();
        assert_eq!(alive, 0);
    }
}

#[tokio::test]
async fn a_token_expires_when_it_lies_unused_and_a_sign_in_ends_however_often_it_is_renewed() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let mut token = signed_in(&site, &owner.email).await;
    for _ in 0..6 {
        site.clock.advance(Duration::from_hours(13 * 24));
        token = renew(&site, &token).await.expect(200).body["refresh_token"].clone();
    }
    site.clock.advance(Duration::from_hours(13 * 24));
    renew(&site, &token).await.expect(401);

    let unused = signed_in(&site, &owner.email).await;
    site.clock.advance(Duration::from_hours(14 * 24));
    renew(&site, &unused).await.expect(401);
}

#[tokio::test]
async fn a_disabled_user_renews_nothing() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let token = signed_in(&site, &owner.email).await;
    let disable = sqlx::query("update app_user set status = 'DISABLED' where id = $1").bind(owner.id);
    disable.execute(&site.database.pool).await.unwrap();
    renew(&site, &token).await.expect(401);
}

#[tokio::test]
async fn signing_out_ends_the_sign_in_and_says_the_same_of_a_token_that_is_none() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let first = signed_in(&site, &owner.email).await;
    let second = renew(&site, &first).await.expect(200).body["refresh_token"].clone();
    let revoke =
        |token: Value| site.call(axum::http::Method::POST, "/tokens/revoke").json(json!({"refresh_token": token}));
    revoke(json!("slrt_nonsense")).send().await.expect(204);
    revoke(second.clone()).send().await.expect(204);
    renew(&site, &second).await.expect(401);
}

#[tokio::test]
async fn tokens_are_kept_as_hashes_and_old_ones_are_swept() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let token = signed_in(&site, &owner.email).await;
    let dump: String = sqlx::query_scalar("select string_agg(t::text, ' ') from refresh_token t")
        .fetch_one(&site.database.pool)
        .await
        .unwrap();
    assert!(!dump.contains(token.as_str().unwrap()));
    let count = || sqlx::query_scalar::<_, i64>("select count(*) from refresh_token").fetch_one(&site.database.pool);
    site.clock.advance(Duration::from_hours(100 * 24));
    identity::housekeeping::tidy(&site.app.identity).await.unwrap();
    assert_eq!(count().await.unwrap(), 1);
    site.clock.advance(Duration::from_hours(21 * 24));
    identity::housekeeping::tidy(&site.app.identity).await.unwrap();
    assert_eq!(count().await.unwrap(), 0);
}
