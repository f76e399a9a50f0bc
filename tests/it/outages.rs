//! Servers that go away under what reads and serves: what can go on goes on, what cannot waits and catches up.

use std::time::Duration;

use backbone::eventually;
use backbone::process::Process;
use backbone::source::{self, Merchants, commerce};
use bed::Gate;
use platform::cache_key::merchant_footer;
use platform::redis::Cache;
use sqlx::PgPool;

use crate::merchant_tax::tax_info;
use crate::search_sync::{forget, found};

fn setting(name: &str) -> String {
    bed::environment().get(name).unwrap().to_owned()
}

/// Whether a consumer says that it tries something again.
async fn is_retrying(backbone: &PgPool, consumer: &str) -> bool {
    sqlx::query_scalar(
        "select exists (select from worker w, jsonb_array_elements(w.partitions) p
                         where w.consumer = $1 and p->>'state' = 'retrying')",
    )
    .bind(consumer)
    .fetch_one(backbone)
    .await
    .unwrap()
}

async fn parked(backbone: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from parked_change").fetch_one(backbone).await.unwrap()
}

#[tokio::test]
async fn a_search_engine_that_is_down_holds_up_nobody_else_and_is_caught_up_with() {
    platform::tls::install();
    let (invoice, backbone) = tokio::join!(bed::database("invoice"), bed::database("backbone"));
    let collection = format!("{}x", bed::unique("products"));
    let url = setting("APP_ENV_TYPESENSE_URL");
    let mut gate = Gate::before(&url);
    let consumers = Process::start(
        &["consume", "search-sync", "merchant-tax"],
        &[
            ("SEARCH_SYNC__APP_ENV_KAFKA_GROUP", bed::unique("search-sync").as_str()),
            ("MERCHANT_TAX__APP_ENV_KAFKA_GROUP", &bed::unique("merchant-tax")),
            ("APP_ENV_TYPESENSE_URL", &gate.through(&url)),
            ("APP_ENV_TYPESENSE_COLLECTION", &collection),
            ("BACKBONE__APP_ENV_DB_URL", &backbone.url),
            ("INVOICE__APP_ENV_DB_URL", &invoice.url),
        ],
    );
    let (commerce, merchant, other) = (commerce(), source::id(), source::id());
    source::insert(&commerce, merchant, "Phở Thìn", None).await;
    let (sold_out, _) = source::insert_product(&commerce, merchant, "Sinh tố xoài").await;
    eventually("the product", Some(1), || found(&collection, merchant, "sinh tố")).await;

    gate.close().await;
    source::insert_product(&commerce, merchant, "Phở bò tái lăn").await;
    sqlx::query("update product set deleted_at = now(), version = version + 1 where id = $1")
        .bind(sold_out)
        .execute(&commerce)
        .await
        .unwrap();
    eventually("waiting", true, || is_retrying(&backbone.pool, "search-sync")).await;
    source::insert(&commerce, other, "Bún chả", None).await;
    let expected: Merchants = [(other, ("Bún chả".into(), None))].into();
    eventually("the tax info", expected, async || tax_info(&invoice.pool, &[other]).await).await;
    assert_eq!(found(&collection, merchant, "phở bò").await, Some(0));
    assert_eq!(found(&collection, merchant, "sinh tố").await, Some(1));

    gate.open();
    eventually("the product made meanwhile", Some(1), || found(&collection, merchant, "phở bò")).await;
    eventually("the product deleted meanwhile", Some(0), || found(&collection, merchant, "sinh tố")).await;
    assert_eq!(parked(&backbone.pool).await, 0);
    consumers.kill().await;
    forget(&collection).await;
}

#[tokio::test]
async fn what_changed_while_redis_was_down_is_dropped_when_it_is_back() {
    let backbone = bed::database("backbone").await;
    let url = setting("APP_ENV_REDIS_URL");
    let (mut gate, cache) = (Gate::before(&url), Cache::connect_with(&url, Duration::from_secs(30)).unwrap());
    let consumer = Process::start(
        &["consume", "cache-invalidation"],
        &[
            ("APP_ENV_KAFKA_GROUP", bed::unique("cache-invalidation").as_str()),
            ("APP_ENV_REDIS_URL", &gate.through(&url)),
            ("BACKBONE__APP_ENV_DB_URL", &backbone.url),
        ],
    );
    let (commerce, merchants) = (commerce(), [source::id(), source::id(), source::id()]);
    for merchant in merchants {
        source::insert(&commerce, merchant, "Bánh mì Phượng", None).await;
    }
    let cached = async || {
        let mut cached = 0;
        for merchant in merchants {
            cached += usize::from(cache.get(&merchant_footer(merchant)).await.is_some());
        }
        cached
    };
    gate.close().await;
    for merchant in merchants {
        cache.set(&merchant_footer(merchant), "cached", Duration::from_mins(5)).await;
        sqlx::query("update merchant set name = 'Bánh mì', version = 2 where id = $1")
            .bind(merchant)
            .execute(&commerce)
            .await
            .unwrap();
    }
    eventually("waiting", true, || is_retrying(&backbone.pool, "cache-invalidation")).await;
    assert_eq!(cached().await, merchants.len());
    gate.open();
    eventually("the footers", 0, cached).await;
    assert_eq!(parked(&backbone.pool).await, 0);
    consumer.kill().await;
}

/// A port that is free now.
async fn free_port() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port().to_string()
}

async fn status(port: &str, path: &str) -> Option<u16> {
    Some(reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.ok()?.status().as_u16())
}

#[tokio::test]
async fn with_the_brokers_away_at_the_start_services_serve_and_consumers_begin_by_themselves() {
    platform::tls::install();
    let (identity, commerce_copy, inventory, invoice, backbone) = tokio::join!(
        bed::database("identity"),
        bed::database("commerce"),
        bed::database("inventory"),
        bed::database("invoice"),
        bed::database("backbone")
    );
    let mut gate = Gate::to(&setting("APP_ENV_KAFKA_BROKERS"));
    gate.close().await;
    let collection = format!("{}x", bed::unique("products"));
    let groups = ["MERCHANT_TAX", "SEARCH_SYNC", "INVENTORY_DEFAULTS", "CACHE_INVALIDATION"]
        .map(|consumer| (format!("{consumer}__APP_ENV_KAFKA_GROUP"), bed::unique("group")));
    let ports = [free_port().await, free_port().await, free_port().await, free_port().await];
    let (brokers, identity_url) = (gate.address(), format!("http://127.0.0.1:{}", ports[0]));
    let mut variables = vec![
        ("APP_ENV_KAFKA_BROKERS", brokers.as_str()),
        ("APP_ENV_TYPESENSE_COLLECTION", &collection),
        ("APP_ENV_IDENTITY_URL", &identity_url),
        ("IDENTITY__APP_ENV_PORT", &ports[0]),
        ("COMMERCE__APP_ENV_PORT", &ports[1]),
        ("INVENTORY__APP_ENV_PORT", &ports[2]),
        ("INVOICE__APP_ENV_PORT", &ports[3]),
        ("IDENTITY__APP_ENV_DB_URL", &identity.url),
        ("COMMERCE__APP_ENV_DB_URL", &commerce_copy.url),
        ("INVENTORY__APP_ENV_DB_URL", &inventory.url),
        ("INVOICE__APP_ENV_DB_URL", &invoice.url),
        ("BACKBONE__APP_ENV_DB_URL", &backbone.url),
    ];
    variables.extend(groups.iter().map(|(name, group)| (name.as_str(), group.as_str())));
    let process = Process::start(&["dev"], &variables);
    for port in &ports {
        eventually("a service without brokers", Some(200), || status(port, "/readyz")).await;
    }
    let merchant = source::id();
    source::insert(&commerce(), merchant, "Phở Thìn", None).await;
    assert_eq!(tax_info(&invoice.pool, &[merchant]).await, Merchants::new());
    gate.open();
    let expected: Merchants = [(merchant, ("Phở Thìn".into(), None))].into();
    eventually("the tax info", expected, async || tax_info(&invoice.pool, &[merchant]).await).await;
    let (code, _) = process.terminate().await;
    assert_eq!(code, Some(0));
    forget(&collection).await;
}
