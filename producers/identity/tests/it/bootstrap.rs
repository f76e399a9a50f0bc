//! The first administrator.

use identity::bootstrap::first_administrator;
use identity::{BootstrapError, Bootstrapped, bootstrap};
use platform::config::Environment;
use secrecy::SecretString;
use serde_json::json;

use crate::site::Site;

fn environment(site: &Site, email: &str, password: &str) -> Environment {
    Environment::from_pairs([
        ("IDENTITY__APP_ENV_DB_URL", site.database.url.as_str()),
        ("APP_ENV_BOOTSTRAP_EMAIL", email),
        ("APP_ENV_BOOTSTRAP_PASSWORD", password),
    ])
}

#[tokio::test]
async fn the_first_administrator_can_sign_in_and_a_second_bootstrap_changes_nothing() {
    let site = Site::new().await;
    let first = bootstrap(&environment(&site, "Root@Example.vn", "một câu đủ dài để nhớ")).await.unwrap();
    assert!(matches!(first, Bootstrapped::Created { ref email, .. } if email == "root@example.vn"), "{first:?}");
    for (email, password) in
        [("root@example.vn", "một câu khác cũng dài"), ("evil@example.vn", "một câu khác cũng dài")]
    {
        assert_eq!(bootstrap(&environment(&site, email, password)).await.unwrap(), Bootstrapped::Present);
    }
    let grant = json!({"grant_type": "password", "email": "root@example.vn", "password": "một câu đủ dài để nhớ"});
    let token = site.grant(grant).await.expect(200).body["access_token"].as_str().unwrap().to_owned();
    let me = site.get("/me").with("authorization", &format!("Bearer {token}")).send().await.expect(200).body;
    assert_eq!(me["roles"], json!(["SUPER_ADMIN"]));
}

#[tokio::test]
async fn many_at_once_make_one() {
    let site = Site::new().await;
    let password = SecretString::from("một câu đủ dài để nhớ");
    let made = futures::future::join_all((0..4).map(|number| {
        let (pool, password) = (&site.database.pool, &password);
        async move { first_administrator(pool, &format!("root{number}@example.vn"), password).await.unwrap() }
    }));
    let created = made.await.into_iter().filter(|outcome| *outcome != Bootstrapped::Present).count();
    assert_eq!(created, 1);
}

#[tokio::test]
async fn weak_passwords_bad_addresses_and_taken_ones_are_refused() {
    let site = Site::new().await;
    for password in ["short", "password123456", "aaaaaaaaaaaaaaaa", "root root root root"] {
        let refused = bootstrap(&environment(&site, "root@example.vn", password)).await;
        assert!(matches!(refused, Err(BootstrapError::Weak(_))), "{password}: {refused:?}");
    }
    let refused = bootstrap(&environment(&site, "root", "một câu đủ dài để nhớ")).await;
    assert!(matches!(refused, Err(BootstrapError::Email(_))), "{refused:?}");
    let cashier = site.person(&["CASHIER"]).await;
    let refused = bootstrap(&environment(&site, &cashier.email, "một câu đủ dài để nhớ")).await;
    assert!(matches!(refused, Err(BootstrapError::Taken(_))), "{refused:?}");
    let refused = bootstrap(&Environment::default()).await.unwrap_err().to_string();
    for name in ["APP_ENV_DB_URL", "APP_ENV_BOOTSTRAP_EMAIL", "APP_ENV_BOOTSTRAP_PASSWORD"] {
        assert!(refused.contains(name), "{refused}");
    }
}

#[tokio::test]
async fn without_the_seeds_it_says_what_to_do() {
    let site = Site::new().await;
    sqlx::query("update role set deleted_at = now()").execute(&site.database.pool).await.unwrap();
    let refused = bootstrap(&environment(&site, "root@example.vn", "một câu đủ dài để nhớ")).await;
    assert!(refused.unwrap_err().to_string().contains("sluice migrate"));
}
