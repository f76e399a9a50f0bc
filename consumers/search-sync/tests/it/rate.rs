//! How fast a backlog drains against the engine's own rate with the same documents. A measurement, not a test:
//! `cargo test -p search-sync --test it -- --ignored --nocapture rate`.

use std::time::Instant;

use futures::StreamExt as _;
use runtime::{Change, Consumer as _};
use search_sync::Touch;
use secrecy::ExposeSecret as _;

use crate::shop::{MERCHANT, Shop, batch, category, merchant, product, variant};

const PRODUCTS: i64 = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a measurement of about a minute"]
async fn rate_of_a_backlog_against_the_engines_own() {
    let shop = Shop::open().await;
    fill(&shop).await;
    let began = Instant::now();
    let mut changes: Vec<Vec<Change<Touch>>> = vec![Vec::new(); 12];
    for id in (1..=PRODUCTS).map(|place| place * 10) {
        changes[usize::try_from(id / 10 % 6).unwrap()].push(product(id, 1));
        for variant_id in id + 1..=id + 3 {
            changes[6 + usize::try_from(variant_id % 6).unwrap()].push(variant(variant_id, id, 1));
        }
    }
    let made = began.elapsed();
    changes.push(vec![merchant(MERCHANT, 1)]);
    changes.push((1..=20).map(|id| category(id, 1)).collect());
    let records: usize = changes.iter().map(Vec::len).sum();

    let (began, cpu_before) = (Instant::now(), cpu());
    let shop = &shop;
    let lanes = changes.into_iter().map(|changes| async move {
        let mut imported = 0;
        for part in changes.chunks(2_000) {
            let outcome = shop.consumer.apply(&batch(&shop.consumer, part.to_vec(), None)).await.unwrap();
            imported += outcome.entities("imported");
        }
        imported
    });
    let imported: u64 = futures::stream::iter(lanes).buffer_unordered(14).collect::<Vec<_>>().await.iter().sum();
    let (ours, cpu, resident) = (began.elapsed(), cpu() - cpu_before, resident());
    assert_eq!(shop.search("*", "", "").await["found"], PRODUCTS);

    let own = engine_alone(shop).await;
    let rate = |elapsed: std::time::Duration| f64::from(20_000) / elapsed.as_secs_f64();
    println!(
        "{records} changes, {imported} imports of {PRODUCTS} documents in {ours:?} ({:.0}/s, made in {made:?}); the engine \
         alone {own:?} ({:.0}/s): {:.2}; {:.0} us of CPU a document, resident {resident} kB",
        rate(ours),
        rate(own),
        rate(ours) / rate(own),
        cpu / f64::from(20_000) * 1e6,
    );
}

/// The same documents, exported, into an empty collection, with the same size and number of requests at once.
async fn engine_alone(shop: &Shop) -> std::time::Duration {
    let key = shop.settings.key.expose_secret();
    let base = format!("{}collections/{}", shop.settings.url, shop.settings.collection);
    let exported = shop.http.get(format!("{base}/documents/export")).header("x-typesense-api-key", key);
    let documents = exported.send().await.unwrap().text().await.unwrap();
    let documents: Vec<&str> = documents.lines().collect();
    let parts: Vec<String> = documents.chunks(500).map(|part| part.join("\n")).collect();
    shop.http.delete(format!("{base}_1")).header("x-typesense-api-key", key).send().await.unwrap();
    shop.make_collection_with(serde_json::json!({ "name": "more", "type": "bool", "optional": true })).await;
    let import = format!("{base}/documents/import?action=upsert&batch_size=250");
    let began = Instant::now();
    let requests = parts.into_iter().map(|part| {
        let request = shop.http.post(&import).header("x-typesense-api-key", key).body(part);
        async move { assert!(!request.send().await.unwrap().text().await.unwrap().contains("false")) }
    });
    futures::stream::iter(requests).buffer_unordered(shop.settings.concurrency).collect::<Vec<()>>().await;
    began.elapsed()
}

async fn fill(shop: &Shop) {
    let statements = [
        "insert into category (id, merchant_id, name, slug, position, created_by, version, created_at, updated_at)
         select i, $1, 'Món nướng ' || i, i::text, 0, 1, 1, now(), now() from generate_series(1, 20) i",
        "insert into product (id, merchant_id, category_id, kind, name, slug, description, status, industry_group, vat_class,
                              created_by, version, created_at, updated_at)
         select i * 10, $1, 1 + i % 20, 'RETAIL', 'Bánh tráng trộn ' || (array['đặc biệt', 'sa tế', 'khô bò', 'phô mai'])[1 + i % 4] || ' ' || i,
                i::text, 'Mô tả', 'ACTIVE', 'GOODS', 'STANDARD', 1, 1, now(), now() from generate_series(1, 20000) i",
        "insert into variant (id, product_id, merchant_id, sku, barcode, name, unit, price, attributes, is_default, position,
                              created_by, version, created_at, updated_at)
         select i * 10 + k, i * 10, $1, 'SKU-' || i || '-' || k, '893' || (i * 10 + k), 'Cỡ ' || k, 'gói', i * 500 % 90000, '{\"size\": \"L\"}',
                k = 1, k, 1, 1, now(), now() from generate_series(1, 20000) i, generate_series(1, 3) k",
    ];
    for statement in statements {
        sqlx::query(statement).bind(MERCHANT).execute(&shop.commerce.pool).await.unwrap();
    }
    sqlx::query("analyze").execute(&shop.commerce.pool).await.unwrap();
}

/// Seconds of processor time that this process took.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks: f64 =
        stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2).map(|n| n.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

/// Kilobytes of memory that this process holds.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}
