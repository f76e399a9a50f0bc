use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use platform::clock::{Clock, ManualClock, SystemClock};
use platform::redis::Cache;
use platform::sealing::Key;
use platform::service::Service;
use time::OffsetDateTime;

use super::*;
use crate::authority::{Bundle, Kind};
use crate::issuer::Issuer;

fn gate_with(issuer: &Arc<Issuer>, clock: SharedClock) -> Gate {
    Gate::new(Service::COMMERCE, issuer.clone(), clock, Cache::none(), Key::from_bytes([1; 32]))
}

async fn ready() -> (Arc<Issuer>, Gate) {
    let issuer = Arc::new(Issuer::default());
    let gate = gate_with(&issuer, SystemClock::shared());
    gate.refresh().await.unwrap();
    (issuer, gate)
}

async fn refused(gate: &Gate, token: &str) -> (u16, String) {
    let problem = gate.verify(token).await.unwrap_err();
    (problem.status.into(), problem.code.to_string())
}

fn replace_header(token: &str, header: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), token.split_once('.').unwrap().1)
}

#[tokio::test]
async fn a_good_token_tells_who_asks() {
    let (issuer, gate) = ready().await;
    let claims = gate.verify(&issuer.token(7, &["CASHIER"], &[5, 6])).await.unwrap();
    assert_eq!((claims.sub.as_str(), claims.kind), ("7", Kind::User));
    assert_eq!(claims.merchants, [crate::Id(5), crate::Id(6)]);
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let (issuer, gate) = ready().await;
    let good = issuer.token(7, &["ADMIN"], &[]);
    let unsigned = replace_header(&good, r#"{"alg":"none","kid":"test-key"}"#);
    let without = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    for token in [unsigned, without] {
        assert_eq!(refused(&gate, &token).await, (401, "TOKEN_REFUSED".to_owned()));
    }
}

#[tokio::test]
async fn the_public_key_is_no_hmac_secret() {
    let (issuer, gate) = ready().await;
    let jwk = issuer.keys().await.unwrap().keys.remove(0);
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some("test-key".to_owned());
    let secret = jsonwebtoken::EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(jwk.x).unwrap());
    let token = jsonwebtoken::encode(&header, &Issuer::claims(7, &["ADMIN"], &[]), &secret).unwrap();
    assert_eq!(refused(&gate, &token).await.0, 401);
}

#[tokio::test]
async fn a_token_of_another_key_with_the_same_name_is_refused() {
    let (_, gate) = ready().await;
    let forger = Issuer::default();
    assert_eq!(refused(&gate, &forger.token(7, &["ADMIN"], &[])).await.0, 401);
}

#[tokio::test]
async fn changed_claims_are_refused() {
    let (issuer, gate) = ready().await;
    let token = issuer.token(7, &["CASHIER"], &[]);
    let parts: Vec<_> = token.split('.').collect();
    let forged = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&Issuer::claims(7, &["ADMIN"], &[])).unwrap());
    assert_eq!(refused(&gate, &format!("{}.{forged}.{}", parts[0], parts[2])).await.0, 401);
}

#[tokio::test]
async fn another_audience_or_issuer_is_refused() {
    let (issuer, gate) = ready().await;
    let mut claims = Issuer::claims(7, &["ADMIN"], &[]);
    claims.aud = "elsewhere".to_owned();
    assert_eq!(refused(&gate, &issuer.sign(&claims)).await.0, 401);
    let mut claims = Issuer::claims(7, &["ADMIN"], &[]);
    claims.iss = "elsewhere".to_owned();
    assert_eq!(refused(&gate, &issuer.sign(&claims)).await.0, 401);
}

#[tokio::test]
async fn an_expired_token_is_refused_and_one_that_is_not_good_yet_too() {
    let (issuer, gate) = ready().await;
    let mut claims = Issuer::claims(7, &["ADMIN"], &[]);
    claims.exp -= 3600 + 31;
    assert_eq!(refused(&gate, &issuer.sign(&claims)).await, (401, "TOKEN_EXPIRED".to_owned()));
    let mut claims = Issuer::claims(7, &["ADMIN"], &[]);
    claims.nbf += 60;
    assert_eq!(refused(&gate, &issuer.sign(&claims)).await.0, 401);
}

#[tokio::test]
async fn a_token_that_was_verified_before_still_expires() {
    let issuer = Arc::new(Issuer::default());
    let clock = ManualClock::at(OffsetDateTime::now_utc());
    let gate = gate_with(&issuer, clock.clone());
    let token = issuer.token(7, &["ADMIN"], &[]);
    gate.verify(&token).await.unwrap();
    clock.set(clock.now() + Duration::from_secs(3600 + 31));
    assert_eq!(refused(&gate, &token).await, (401, "TOKEN_EXPIRED".to_owned()));
}

#[tokio::test]
async fn nonsense_is_refused() {
    let (_, gate) = ready().await;
    for token in ["", "x", "a.b", "a.b.c", "....", "é.é.é"] {
        assert_eq!(refused(&gate, token).await.0, 401, "{token}");
    }
}

#[tokio::test(start_paused = true)]
async fn forged_key_names_do_not_become_requests_to_identity() {
    let (issuer, gate) = ready().await;
    let before = issuer.keys_asked.load(Ordering::SeqCst);
    let good = issuer.token(7, &["ADMIN"], &[]);
    for attempt in 0..100 {
        let token = replace_header(&good, &format!(r#"{{"alg":"ES256","kid":"forged-{attempt}"}}"#));
        assert_eq!(refused(&gate, &token).await, (401, "TOKEN_REFUSED".to_owned()));
    }
    assert_eq!(issuer.keys_asked.load(Ordering::SeqCst), before + 1);
    tokio::time::advance(Duration::from_secs(5)).await;
    refused(&gate, &replace_header(&good, r#"{"alg":"ES256","kid":"forged"}"#)).await;
    assert_eq!(issuer.keys_asked.load(Ordering::SeqCst), before + 2);
}

#[tokio::test]
async fn a_new_key_is_fetched_when_its_first_token_comes() {
    let issuer = Arc::new(Issuer::default());
    let gate = gate_with(&issuer, SystemClock::shared());
    gate.verify(&issuer.token(7, &[], &[])).await.unwrap();
    assert_eq!(issuer.keys_asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn with_identity_down_known_keys_and_policies_go_on_and_unknown_ones_answer_503() {
    let (issuer, gate) = ready().await;
    issuer.reachable.store(false, Ordering::SeqCst);
    assert!(gate.refresh().await.is_err());
    gate.verify(&issuer.token(7, &["ADMIN"], &[])).await.unwrap();
    assert_eq!(gate.allowing(&["ADMIN".to_owned()], "product", "read").await.unwrap(), ["ADMIN"]);
    let fresh = gate_with(&issuer, SystemClock::shared());
    assert_eq!(fresh.verify(&issuer.token(7, &["ADMIN"], &[])).await.unwrap_err().status, 503);
    assert_eq!(fresh.allowing(&["ADMIN".to_owned()], "product", "read").await.unwrap_err().status, 503);
}

#[tokio::test]
async fn a_bundle_of_another_key_or_of_another_kind_is_not_taken() {
    struct Wrong(Issuer, String);
    #[async_trait::async_trait]
    impl Authority for Wrong {
        async fn keys(&self) -> Result<crate::authority::Jwks, AuthorityError> {
            self.0.keys().await
        }
        async fn bundle(&self) -> Result<String, AuthorityError> {
            Ok(self.1.clone())
        }
        async fn exchange(&self, _: &secrecy::SecretString) -> Result<String, AuthorityError> {
            Err(AuthorityError::Refused)
        }
    }
    let other = Issuer::default().bundle().await.unwrap();
    let issuer = Issuer::default();
    let token = issuer.token(7, &["ADMIN"], &[]);
    for wrong in [other, token, "nonsense".to_owned()] {
        let authority = Arc::new(Wrong(Issuer::default(), wrong));
        let gate =
            Gate::new(Service::COMMERCE, authority, SystemClock::shared(), Cache::none(), Key::from_bytes([1; 32]));
        assert!(gate.refresh().await.is_err());
        assert!(!gate.has_policies());
    }
}

#[tokio::test]
async fn a_changed_policy_counts_from_the_refresh_on() {
    let (issuer, gate) = ready().await;
    let roles = ["CASHIER".to_owned()];
    assert!(gate.allowing(&roles, "product", "read").await.unwrap().is_empty());
    issuer.set_rules(&[("CASHIER", "commerce", "product", "read", "allow")]);
    gate.refresh().await.unwrap();
    assert_eq!(gate.allowing(&roles, "product", "read").await.unwrap(), ["CASHIER"]);
    issuer.set_rules(&[]);
    gate.refresh().await.unwrap();
    assert!(gate.allowing(&roles, "product", "read").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_restored_identity_is_followed_and_an_old_bundle_that_somebody_kept_is_not() {
    let (issuer, gate) = ready().await;
    let roles = ["CASHIER".to_owned()];
    issuer.set_rules(&[("CASHIER", "commerce", "product", "read", "allow")]);
    let allowing = issuer.backup();
    issuer.set_rules(&[]);
    gate.refresh().await.unwrap();
    let denying = issuer.backup();

    issuer.restore(allowing.clone());
    gate.refresh().await.unwrap();
    assert!(gate.allowing(&roles, "product", "read").await.unwrap().is_empty(), "a kept bundle brings a right back");

    issuer.restore(Bundle { issued_at: denying.issued_at + 60, ..allowing.clone() });
    gate.refresh().await.unwrap();
    assert_eq!(gate.allowing(&roles, "product", "read").await.unwrap(), ["CASHIER"], "an older version, signed later");

    issuer.restore(Bundle { issued_at: denying.issued_at + 120, version: allowing.version, ..denying });
    gate.refresh().await.unwrap();
    assert!(gate.allowing(&roles, "product", "read").await.unwrap().is_empty(), "the same version with other rules");
}

#[tokio::test]
async fn basic_credentials_are_exchanged_once_and_wrong_ones_are_not_asked_again_at_once() {
    let (issuer, gate) = ready().await;
    let header = |password: &str| format!("Basic {}", STANDARD.encode(format!("robot:{password}")));
    for _ in 0..3 {
        assert_eq!(gate.exchange(&header("right")).await.unwrap().kind, Kind::Service);
    }
    assert_eq!(issuer.exchanges.load(Ordering::SeqCst), 1);
    for _ in 0..3 {
        assert_eq!(gate.exchange(&header("wrong")).await.unwrap_err().status, 401);
    }
    assert_eq!(issuer.exchanges.load(Ordering::SeqCst), 2);
    issuer.reachable.store(false, Ordering::SeqCst);
    assert_eq!(gate.exchange(&header("other")).await.unwrap_err().status, 503);
}
