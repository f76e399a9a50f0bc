//! Postgres stopped, crashed and late, under a service that writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bed::{Cluster, Gate, Stop};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::serving::Serving;

const WRITERS: usize = 8;

/// What the writers saw until now.
#[derive(Default)]
struct Seen {
    created: AtomicUsize,
    refused: AtomicUsize,
    enough: AtomicBool,
}

impl Seen {
    /// Waits for so many more of a count.
    async fn more(&self, count: impl Fn(&Self) -> &AtomicUsize, more: usize) {
        let goal = count(self).load(Ordering::SeqCst) + more;
        for _ in 0..600 {
            if count(self).load(Ordering::SeqCst) >= goal {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{more} more never came");
    }
}

/// Creates merchants one after another, each under a key of its own that is also its name. Whatever is not acknowledged
/// is asked for again in the same words. Answers what was acknowledged: name to id.
async fn write(service: Arc<Serving>, seen: Arc<Seen>) -> BTreeMap<String, String> {
    let mut acknowledged = BTreeMap::new();
    while !seen.enough.load(Ordering::SeqCst) {
        let key = bed::unique("key");
        let id = create(&service, &seen, &key).await;
        acknowledged.insert(key, id);
    }
    acknowledged
}

/// Repeats one request until it is acknowledged. Nothing but "created" and "come back later" may be answered.
async fn create(service: &Serving, seen: &Seen, key: &str) -> String {
    for _ in 0..600 {
        let answer = service.create_merchant(key, key).await.expect("the service itself never goes away");
        let (status, again) = (answer.status().as_u16(), answer.headers().get("retry-after").cloned());
        let body: Value = answer.json().await.unwrap();
        match status {
            201 => {
                seen.created.fetch_add(1, Ordering::SeqCst);
                return body["id"].as_str().unwrap().to_owned();
            }
            503 => {
                assert!(again.is_some(), "503 does not say when to come back: {body}");
                seen.refused.fetch_add(1, Ordering::SeqCst);
                // sooner than it says: the harder way
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            _ => panic!("{key} was answered {status}: {body}"),
        }
    }
    panic!("{key} was never acknowledged");
}

/// Merchants as they are in the database: name to id.
async fn merchants(url: &str) -> Vec<(String, String)> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let rows = sqlx::query("select name, id::text as id from merchant order by name").fetch_all(&mut connection).await;
    rows.unwrap().iter().map(|row| (row.get("name"), row.get("id"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_restarted_and_crashed_under_writes_loses_and_doubles_nothing_acknowledged() {
    let mut cluster = Cluster::start().await;
    let url = cluster.database("commerce").await;
    let (service, seen) = (Arc::new(Serving::start(&url).await), Arc::new(Seen::default()));
    service.expect("/readyz", 200).await;
    let writers: Vec<_> = (0..WRITERS).map(|_| tokio::spawn(write(service.clone(), seen.clone()))).collect();
    for how in [Stop::Fast, Stop::Immediate] {
        seen.more(|seen| &seen.created, 50).await;
        cluster.stop(how).await;
        seen.more(|seen| &seen.refused, WRITERS).await;
        assert_eq!(service.status("/healthz").await, Some(200));
        assert_eq!(service.status("/readyz").await, Some(503));
        cluster.start_again().await;
        service.expect("/readyz", 200).await;
    }
    seen.more(|seen| &seen.created, 50).await;
    seen.enough.store(true, Ordering::SeqCst);
    let mut acknowledged = BTreeMap::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    assert_eq!(merchants(&url).await, acknowledged.into_iter().collect::<Vec<_>>());
    Arc::into_inner(service).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_whose_postgres_is_late_is_alive_and_unready_and_gets_ready_by_itself() {
    let database = bed::database("commerce").await;
    let mut gate = Gate::before(&database.url);
    gate.close().await;
    let service = Serving::start(&gate.through(&database.url)).await;
    service.expect("/healthz", 200).await;
    for base in ["", "/v1/api/commerce"] {
        assert_eq!(service.status(&format!("{base}/readyz")).await, Some(503));
    }
    let answer = service.create_merchant("a-key", "Phở Thìn").await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    gate.open();
    service.expect("/readyz", 200).await;
    assert_eq!(service.create_merchant("a-key", "Phở Thìn").await.unwrap().status(), 201);
    service.stop().await;
}
