//! Workers that race, and one that comes late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use runtime::Consumer as _;
use search_sync::Settings;
use tokio::sync::Notify;

use crate::shop::{MERCHANT, Shop, batch, category, merchant, product, variant};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_workers_leave_what_the_source_says() {
    let shop = Arc::new(Shop::open().await);
    let ids: Vec<i64> = (1..=12).map(|place| place * 10).collect();
    for id in &ids {
        shop.product(*id, &format!("Món {id}"), 1_000).await;
    }
    let mut racing = Vec::new();
    for worker in 0..4_usize {
        let (shop, ids) = (shop.clone(), ids.clone());
        racing.push(tokio::spawn(async move {
            let consumer = shop.worker(&shop.settings);
            for round in 0..15_usize {
                let id = ids[(round * 5 + worker * 7) % ids.len()];
                let version: i64 = sqlx::query_scalar(
                    "update variant set price = price + 1, version = version + 1 where id = $1 returning version",
                )
                .bind(id + 1)
                .fetch_one(&shop.commerce.pool)
                .await
                .unwrap();
                let mut changes = vec![variant(id + 1, id, version)];
                if round % 5 == worker {
                    changes.push(merchant(MERCHANT, 1));
                    changes.push(category(crate::shop::CATEGORY, 1));
                }
                consumer.apply(&batch(&consumer, changes, None)).await.unwrap();
            }
        }));
    }
    for one in racing {
        one.await.unwrap();
    }
    for id in ids {
        let price: i64 = sqlx::query_scalar("select price from variant where id = $1")
            .bind(id + 1)
            .fetch_one(&shop.commerce.pool)
            .await
            .unwrap();
        assert_eq!(shop.document(id).await["price_min"], price, "product {id}");
    }
}

/// The engine behind a door: an import that arrives while it is closed waits inside.
#[derive(Clone)]
struct Door {
    http: reqwest::Client,
    engine: String,
    closed: Arc<AtomicBool>,
    arrived: Arc<Notify>,
    opened: Arc<Notify>,
}

async fn pass(State(door): State<Door>, request: Request) -> (StatusCode, Bytes) {
    let url = format!("{}{}", door.engine, request.uri());
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    if url.contains("/import") && door.closed.swap(false, Ordering::SeqCst) {
        door.arrived.notify_one();
        door.opened.notified().await;
    }
    let key = parts.headers["x-typesense-api-key"].clone();
    let answer =
        door.http.request(parts.method, url).header("x-typesense-api-key", key).body(body).send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap())
}

/// A door before the shop's engine, closed for the next import, and the settings of a worker behind it.
async fn door(shop: &Shop) -> (Door, Settings) {
    let door = Door {
        http: reqwest::Client::new(),
        engine: shop.settings.url.as_str().trim_end_matches('/').to_owned(),
        closed: Arc::new(AtomicBool::new(true)),
        arrived: Arc::new(Notify::new()),
        opened: Arc::new(Notify::new()),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(pass).with_state(door.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (door, Settings { url: url.parse().unwrap(), ..shop.settings.clone() })
}

/// Returns when somebody waits for a lock, or this is done.
async fn waits<T>(shop: &Shop, task: &tokio::task::JoinHandle<T>) {
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted
                      and database = (select oid from pg_database where datname = current_database())";
    while !task.is_finished() {
        let waiters: i64 = sqlx::query_scalar(waiting).fetch_one(&shop.backbone.pool).await.unwrap();
        if waiters > 0 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_waits_while_another_imports_the_same_product() {
    let shop = Arc::new(Shop::open().await);
    shop.product(10, "Phở một", 1_000).await;
    let (door, behind) = door(&shop).await;
    let slow = shop.worker(&behind);
    let first = tokio::spawn(async move { slow.apply(&batch(&slow, vec![product(10, 1)], None)).await });
    door.arrived.notified().await;

    shop.run("update product set name = 'Phở hai', version = 2 where id = $1", &[10]).await;
    let second = tokio::spawn({
        let shop = shop.clone();
        async move { shop.try_apply(vec![product(10, 2)]).await }
    });
    // Without a lock it would be through, and the first would overwrite it.
    waits(&shop, &second).await;
    door.opened.notify_one();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(shop.document(10).await["name"], "Phở hai");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_waits_while_its_product_is_filled_beside() {
    let shop = Arc::new(Shop::open().await);
    shop.product(10, "Phở một", 1_000).await;
    shop.publish(&[10]).await;
    let reindex = shop.consumer.reindex();
    let found = reindex.look().await.unwrap();
    let (door, behind) = door(&shop).await;
    let (slow, next) = (shop.worker(&behind).reindex(), found.next.clone());
    let filling = tokio::spawn(async move { slow.fill(&next, |_| {}).await });
    door.arrived.notified().await;

    // What was read for the new collection is of before this.
    shop.run("update product set name = 'Phở hai', version = 2 where id = $1", &[10]).await;
    let applying = tokio::spawn({
        let shop = shop.clone();
        async move { shop.try_apply(vec![product(10, 2)]).await }
    });
    waits(&shop, &applying).await;
    door.opened.notify_one();
    filling.await.unwrap().unwrap();
    applying.await.unwrap().unwrap();
    reindex.put(&found.searched, &found.next, false).await.unwrap();
    assert_eq!(shop.document(10).await["name"], "Phở hai");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_late_worker_that_lost_its_lock_does_its_import_again() {
    let shop = Shop::open().await;
    shop.product(10, "Phở bò", 1_000).await;
    shop.publish(&[10]).await;

    // The late worker reads version 2 and hangs in its import.
    shop.run("update product set name = 'Phở hai', version = 2 where id = $1", &[10]).await;
    let (door, behind) = door(&shop).await;
    let late = shop.worker(&behind);
    let applying = tokio::spawn(async move { late.apply(&batch(&late, vec![product(10, 2)], None)).await });
    door.arrived.notified().await;

    // Its session dies; another worker takes the lock, reads version 3 and imports it.
    let ended: i64 = sqlx::query_scalar(
        "select count(*) from (select pg_terminate_backend(pid, 5000) from pg_locks
          where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())) t",
    )
    .fetch_one(&shop.backbone.pool)
    .await
    .unwrap();
    assert_eq!(ended, 1);
    shop.run("update product set name = 'Phở ba', version = 3 where id = $1", &[10]).await;
    shop.apply(vec![product(10, 3)]).await;
    assert_eq!(shop.document(10).await["name"], "Phở ba");

    // The late import arrives after all.
    door.opened.notify_one();
    applying.await.unwrap().unwrap();
    assert_eq!(shop.document(10).await["name"], "Phở ba");
}

#[tokio::test]
async fn a_change_that_is_not_visible_yet_is_waited_for() {
    let shop = Shop::open().await;
    shop.product(10, "Phở bò", 1_000).await;
    shop.publish(&[10]).await;
    // Its commit is in the log, so to speak, and the others do not see it yet.
    let mut writing = shop.commerce.pool.begin().await.unwrap();
    sqlx::query("update product set name = 'Phở gà', version = 2 where id = 10").execute(&mut *writing).await.unwrap();
    let (applied, committed) = tokio::join!(shop.try_apply(vec![product(10, 2)]), async {
        tokio::task::yield_now().await;
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        writing.commit().await
    });
    committed.unwrap();
    applied.unwrap();
    assert_eq!(shop.document(10).await["name"], "Phở gà");
}

#[tokio::test]
async fn a_change_that_a_restore_of_the_source_undid_is_not_waited_for() {
    let shop = Shop::open().await;
    shop.product(10, "Phở bò", 1_000).await;
    let mut outcome = shop.try_apply(vec![product(10, 9), product(20, 1)]).await;
    // Other tests' transactions in this cluster count as ones that might have made the change.
    while let Err(fault) = outcome {
        assert!(fault.to_string().contains("hangs in its commit"), "{fault}");
        outcome = shop.try_apply(vec![product(10, 9), product(20, 1)]).await;
    }
    let outcome = outcome.unwrap();
    assert_eq!((outcome.entities("imported"), outcome.entities("removed")), (1, 1));
}
