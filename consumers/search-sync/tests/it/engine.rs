//! The engine: absent, busy, misconfigured, new.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use runtime::Fault;
use runtime::verdict::Verdict;
use search_sync::Settings;

use crate::shop::{Shop, batch, mark, product};
use runtime::Consumer as _;

#[tokio::test]
async fn an_engine_that_is_down_is_waited_for() {
    let shop = Shop::open().await;
    shop.product(10, "Phở bò", 45_000).await;
    let down = Settings { url: "http://127.0.0.1:9".parse().unwrap(), ..shop.settings.clone() };
    let worker = shop.worker(&down);
    let fault = worker.apply(&batch(&worker, vec![product(10, 1)], Some(mark(1)))).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Retry, "{fault}");
    assert!(fault.to_string().contains("refused"), "{fault}");
    assert_eq!(shop.frontier().await, None);
}

#[tokio::test]
async fn an_engine_under_pressure_is_given_the_time_it_asks_for() {
    let answer =
        || async { (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "7")], "Not Ready or Lagging").into_response() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let shop = Shop::open().await;
    let worker = shop.worker(&Settings { url: url.parse().unwrap(), ..shop.settings.clone() });
    match worker.apply(&batch(&worker, vec![product(10, 1)], None)).await.unwrap_err() {
        Fault::Unavailable { reason, retry_after } => {
            assert!(reason.contains("Not Ready"), "{reason}");
            assert_eq!(retry_after, Some(Duration::from_secs(7)));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_wrong_key_and_a_collection_that_vanished_halt() {
    let shop = Shop::open().await;
    shop.product(10, "Phở bò", 45_000).await;
    let wrong = shop.worker(&Settings { key: "wrong".to_owned().into(), ..shop.settings.clone() });
    let fault = wrong.ensure_collection().await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Halt);
    assert!(fault.to_string().contains("APP_ENV_TYPESENSE_API_KEY"), "{fault}");

    shop.publish(&[10]).await;
    let url = format!("{}collections/{}_1", shop.settings.url, shop.settings.collection);
    let key = secrecy::ExposeSecret::expose_secret(&shop.settings.key).to_owned();
    shop.http.delete(url).header("x-typesense-api-key", key).send().await.unwrap();
    shop.run("update product set version = 2 where id = $1", &[10]).await;
    let fault = shop.try_apply(vec![product(10, 2)]).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Halt);
    assert!(fault.to_string().contains("the alias is gone"), "{fault}");
}

#[tokio::test]
async fn workers_that_start_together_make_one_collection() {
    let shop = Shop::open().await;
    let workers: Vec<_> = (0..6).map(|_| shop.worker(&shop.settings)).collect();
    let made = futures::future::join_all(workers.iter().map(search_sync::SearchSync::ensure_collection)).await;
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    assert_eq!(shop.collection().await["name"], format!("{}_1", shop.settings.collection));
    shop.worker(&shop.settings).ensure_collection().await.unwrap();
}
