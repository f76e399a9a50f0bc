//! Guessing passwords.

use std::time::Duration;

use serde_json::{Value, json};

use crate::site::{PASSWORD, Site};

fn guess(email: &str) -> Value {
    json!({"grant_type": "password", "email": email, "password": "đoán mò một lần nữa"})
}

fn right(email: &str) -> Value {
    json!({"grant_type": "password", "email": email, "password": PASSWORD})
}

/// Three failures are allowed for an account here, five for an address.
#[tokio::test]
async fn beyond_the_limit_an_account_answers_429_even_for_the_right_password_until_the_window_ends() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    for number in 0..3 {
        site.grant_from(guess(&owner.email), &format!("192.0.2.{number}")).await.expect(401);
    }
    let throttled = site.grant_from(right(&owner.email), "192.0.2.9").await.refused(429, "TOO_MANY_REQUESTS");
    let seconds: u64 = throttled.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(seconds, 900);
    site.clock.advance(Duration::from_secs(seconds));
    site.grant_from(right(&owner.email), "192.0.2.9").await.expect(200);
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_throttled_like_one_that_does() {
    let site = Site::new().await;
    for (number, spelling) in ["no@example.vn", "NO@example.vn", " no@example.vn"].into_iter().enumerate() {
        site.grant_from(guess(spelling), &format!("192.0.2.{number}")).await.expect(401);
    }
    site.grant_from(guess("no@example.vn"), "192.0.2.9").await.expect(429);
}

#[tokio::test]
async fn an_address_is_throttled_over_all_accounts_and_one_written_by_the_caller_does_not_count() {
    let site = Site::new().await;
    for number in 0..5 {
        // What stands left of the trusted proxy's entry is the caller's own text.
        let chain = format!("10.9.8.{number}, 203.0.113.5");
        site.grant_from(guess(&format!("someone{number}@example.vn")), &chain).await.expect(401);
    }
    let owner = site.person(&["OWNER"]).await;
    site.grant_from(right(&owner.email), "203.0.113.5").await.expect(429);
    site.grant_from(right(&owner.email), "203.0.113.6").await.expect(200);
}

#[tokio::test]
async fn a_sign_in_that_succeeds_clears_the_account_but_not_the_address() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    for _ in 0..2 {
        for _ in 0..2 {
            site.grant_from(guess(&owner.email), "203.0.113.5").await.expect(401);
        }
        site.grant_from(right(&owner.email), "203.0.113.5").await.expect(200);
    }
    // Four failures so far: the fifth is allowed, and then the address is refused though it signed in twice.
    site.grant_from(guess("other@example.vn"), "203.0.113.5").await.expect(401);
    site.grant_from(right(&owner.email), "203.0.113.5").await.expect(429);
}

#[tokio::test]
async fn many_guesses_at_once_do_not_slip_under_the_limit() {
    let site = Site::new().await;
    let owner = site.person(&["OWNER"]).await;
    let tries = (0..12).map(|number| {
        let (site, body) = (&site, guess(&owner.email));
        async move { site.grant_from(body, &format!("192.0.2.{number}")).await.status.as_u16() }
    });
    let statuses = futures::future::join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 3, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 9, "{statuses:?}");
}

#[tokio::test]
async fn the_counters_name_nobody_and_are_swept() {
    let site = Site::new().await;
    site.grant_from(guess("secret@example.vn"), "203.0.113.5").await.expect(401);
    let dump: String = sqlx::query_scalar("select string_agg(t::text, ' ') from login_throttle t")
        .fetch_one(&site.database.pool)
        .await
        .unwrap();
    assert!(!dump.contains("secret") && !dump.contains("203.0.113"), "{dump}");
    site.clock.advance(Duration::from_secs(901));
    identity::housekeeping::tidy(&site.app.identity).await.unwrap();
    let left: i64 =
        sqlx::query_scalar("select count(*) from login_throttle").fetch_one(&site.database.pool).await.unwrap();
    assert_eq!(left, 0);
}
