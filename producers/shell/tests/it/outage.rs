//! Redis that goes away in the middle, is slow, and comes back.

use std::time::Duration;

use bed::Gate;
use platform::redis::Cache;
use reqwest::Method;
use shell::authority::{Bundle, Gate as Decider};

use crate::authorize::{decision_key, redis};
use crate::service::{Odd, refused, start_odd};

/// What the policies say of reading a resource that nobody asked for before: whether an owner may, and an employee.
async fn decided(gate: &Decider, resource: &str) -> (bool, bool) {
    let may = async |role: &str| !gate.allowing(&[role.to_owned()], resource, "read").await.unwrap().is_empty();
    (may("OWNER").await, may("EMPLOYEE").await)
}

/// Waits until a decision that is made now is found in Redis, and answers what it is of.
async fn until_one_is_kept(gate: &Decider, direct: &Cache, bundle: &Bundle) -> String {
    for _ in 0..300 {
        let resource = bed::unique("resource");
        assert_eq!(decided(gate, &resource).await, (true, false));
        if direct.get(&decision_key(bundle, "OWNER", &resource)).await.is_some() {
            return resource;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no decision was kept in redis");
}

#[tokio::test]
async fn redis_that_goes_away_and_comes_back_changes_no_decision() {
    let url = bed::environment().get("APP_ENV_REDIS_URL").unwrap().to_owned();
    let (mut before_redis, direct) = (Gate::before(&url), redis());
    let cache = Cache::connect(&before_redis.through(&url)).unwrap();
    let service = start_odd(Odd { cache: Some(cache), ..Odd::default() }).await;
    let gate = &*service.kit.gate();
    let granted = bed::unique("resource");
    service.issuer.set_rules(&[("EMPLOYEE", "commerce", &granted, "read", "allow")]);
    gate.refresh().await.unwrap();
    until_one_is_kept(gate, &direct, &service.issuer.backup()).await;
    assert_eq!(decided(gate, &granted).await, (true, true));
    assert!(direct.get(&decision_key(&service.issuer.backup(), "EMPLOYEE", &granted)).await.is_some());

    before_redis.close().await;
    for _ in 0..5 {
        assert_eq!(decided(gate, &bed::unique("resource")).await, (true, false));
    }
    assert_eq!(service.ask(Method::GET, "/widgets").send().await.unwrap().status(), 200);
    let employee = || service.ask_as(7, &["EMPLOYEE"], &[5], Method::GET, "/widgets").send();
    refused(employee().await.unwrap(), 403, "FORBIDDEN").await;
    service.issuer.set_rules(&[]);
    gate.refresh().await.unwrap();

    before_redis.slow(Duration::from_mins(1));
    before_redis.open();
    for _ in 0..5 {
        assert_eq!(decided(gate, &bed::unique("resource")).await, (true, false));
    }

    // what was delayed is lost with its connections
    before_redis.close().await;
    before_redis.slow(Duration::ZERO);
    before_redis.open();
    let kept = until_one_is_kept(gate, &direct, &service.issuer.backup()).await;
    assert_eq!(decided(gate, &kept).await, (true, false));
    // the right that was taken away meanwhile is gone, although Redis still remembers that it was there
    assert_eq!(decided(gate, &granted).await, (true, false));
    refused(employee().await.unwrap(), 403, "FORBIDDEN").await;
}
