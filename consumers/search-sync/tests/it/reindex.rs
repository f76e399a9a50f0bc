//! A collection that is filled beside the one that is searched, while its products change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures::TryStreamExt as _;
use runtime::Consumer as _;
use search_sync::{Progress, Settings};
use serde_json::{Value, json};

use crate::shop::{MERCHANT, Shop, batch, deleted, merchant, product, settings, variant};
use schemas::commerce::product::Product;

fn untold(_: Progress) {}

/// Products 10, 20, ... that are searched.
async fn shop_with(products: i64) -> Arc<Shop> {
    // many pages and chunks of few products
    let shop = Shop::open_with(Settings { chunk_products: 3, ..settings() }).await;
    let ids: Vec<i64> = (1..=products).map(|place| place * 10).collect();
    for id in &ids {
        shop.product(*id, &format!("Món {id}"), 45_000).await;
    }
    shop.publish(&ids).await;
    Arc::new(shop)
}

/// What differs between what is searched and the source.
async fn wrong(shop: &Shop) -> Vec<i64> {
    let pool = shop.commerce.pool.clone();
    let compared = shop.consumer.comparisons(&|_| Ok(pool.clone())).unwrap().remove(0);
    let looked: Vec<_> = compared.looks().try_collect().await.unwrap();
    looked.into_iter().flat_map(|looked| looked.wrong.into_keys()).collect()
}

/// Changes products and tells the consumer so, until it is stopped: what Debezium and Kafka would carry.
async fn change(shop: Arc<Shop>, number: i64, enough: Arc<AtomicBool>, changed: Arc<AtomicI64>) {
    let consumer = shop.worker(&shop.settings);
    let mut round = 0;
    while !enough.load(Ordering::SeqCst) {
        round += 1;
        // each changer has products of its own, so that it knows their versions
        let id = ((round * 7 + number) % 30) * 40 + 10 * number + 10;
        let pool = &shop.commerce.pool;
        let change = match round % 5 {
            0 => {
                sqlx::query("delete from variant where product_id = $1").bind(id).execute(pool).await.unwrap();
                let gone = sqlx::query("delete from product where id = $1").bind(id).execute(pool).await.unwrap();
                (gone.rows_affected() > 0).then(|| deleted::<Product>(id))
            }
            1 => {
                let new = 1_000_000 + round * 100 + number * 10;
                shop.product(new, &format!("Món mới {new}"), 1_000).await;
                Some(product(new, 1))
            }
            2 => sqlx::query_scalar(
                "update product set deleted_at = case when deleted_at is null then now() end, version = version + 1
                  where id = $1 returning version",
            )
            .bind(id)
            .fetch_optional(pool)
            .await
            .unwrap()
            .map(|version| product(id, version)),
            _ => sqlx::query_scalar(
                "update variant set price = price + 1, version = version + 1 where id = $1 returning version",
            )
            .bind(id + 1)
            .fetch_optional(pool)
            .await
            .unwrap()
            .map(|version| variant(id + 1, id, version)),
        };
        if let Some(change) = change {
            consumer.apply(&batch(&consumer, vec![change], None)).await.unwrap();
            changed.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_change_is_missing_after_a_collection_took_its_place_and_none_that_went_comes_back() {
    let shop = shop_with(120).await;
    let (enough, changed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let changers: Vec<_> =
        (0..3).map(|number| tokio::spawn(change(shop.clone(), number, enough.clone(), changed.clone()))).collect();
    // an operator's process has a consumer of its own
    let reindex = shop.worker(&shop.settings).reindex();
    let lease = reindex.lease().await.unwrap();
    assert!(reindex.lease().await.is_err(), "one at a time");
    let found = reindex.look().await.unwrap();
    let (old, new) = (found.searched, found.next);
    assert_eq!((old.as_str(), new.as_str()), (&*format!("{}_1", found.alias), &*format!("{}_2", found.alias)));

    // killed in the middle
    let killed = tokio::spawn({
        let (shop, new) = (shop.clone(), new.clone());
        async move {
            let reindex = shop.worker(&shop.settings).reindex();
            let middle = std::sync::atomic::AtomicBool::new(false);
            let stop_there = |_| middle.store(true, Ordering::SeqCst);
            tokio::select! {
                done = reindex.fill(&new, stop_there) => panic!("{done:?}"),
                () = async { while !middle.load(Ordering::SeqCst) { tokio::task::yield_now().await; } } => {}
            }
        }
    });
    killed.await.unwrap();
    let beside = reindex.look().await.unwrap().beside.unwrap();
    assert!(beside.collection == new && beside.filled_to.is_some(), "{beside:?}");

    let first = AtomicI64::new(-1);
    let note = |progress| {
        if let Progress::Filled(filled, _) = progress {
            first.compare_exchange(-1, filled, Ordering::SeqCst, Ordering::SeqCst).ok();
        }
    };
    reindex.fill(&new, note).await.unwrap();
    assert!(first.load(Ordering::SeqCst) > 18, "it went on where it stopped: {first:?}");
    let before = changed.load(Ordering::SeqCst);
    let settled = reindex.settle(&new, untold).await.unwrap();
    assert_eq!(settled.wrong, 0, "{settled:?}");
    reindex.put(&old, &new, false).await.unwrap();
    drop(lease);
    let after = changed.load(Ordering::SeqCst);
    while changed.load(Ordering::SeqCst) < after + 10 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    enough.store(true, Ordering::SeqCst);
    for changer in changers {
        changer.await.unwrap();
    }
    assert!(after > before && before > 10, "changes came meanwhile: {before}, {after}");
    assert_eq!(wrong(&shop).await, Vec::<i64>::new());
    let found = reindex.look().await.unwrap();
    assert_eq!((found.searched, found.beside, found.other), (new, None, Some(old)));
}

/// Without the comparison: what the fill and the writes beside leave is right by itself.
#[tokio::test]
async fn a_product_that_goes_or_changes_while_others_are_filled_is_so_in_both() {
    let shop = shop_with(60).await;
    let reindex = shop.worker(&shop.settings).reindex();
    let found = reindex.look().await.unwrap();
    let (changes, shopkeeper) = (tokio::sync::mpsc::unbounded_channel(), shop.clone());
    let (sender, mut receiver) = changes;
    let told = |progress| sender.send(progress).unwrap();
    let changing = async {
        receiver.recv().await.unwrap();
        for statement in [
            // filled, and not filled yet
            "update product set name = 'đã đổi', version = 2 where id in ($1, 600)",
            "update product set deleted_at = now(), version = 2 where id in ($1 + 10, 590)",
        ] {
            shopkeeper.run(statement, &[10]).await;
        }
        shopkeeper.apply([10, 20, 590, 600].map(|id| product(id, 2)).into()).await;
        shopkeeper.product(5, "trước", 1).await;
        shopkeeper.publish(&[5]).await;
        shopkeeper.run("update merchant set name = 'Quán Cô Tư', version = 2 where id = $1", &[MERCHANT]).await;
        shopkeeper.apply(vec![merchant(MERCHANT, 2)]).await;
    };
    let (filled, ()) = tokio::join!(reindex.fill(&found.next, told), changing);
    filled.unwrap();
    reindex.put(&found.searched, &found.next, false).await.unwrap();
    assert_eq!(wrong(&shop).await, Vec::<i64>::new());
    assert_eq!(shop.document(10).await["name"], "đã đổi");
    assert_eq!(shop.document(20).await, Value::Null);
}

#[tokio::test]
async fn a_roll_back_is_at_once_and_what_was_missed_is_made_again() {
    let shop = shop_with(40).await;
    let reindex = shop.worker(&shop.settings).reindex();
    let found = reindex.look().await.unwrap();
    let (old, new) = (found.searched, found.next);
    reindex.fill(&new, untold).await.unwrap();
    assert_eq!(reindex.settle(&new, untold).await.unwrap().documents, 40);
    reindex.put(&old, &new, false).await.unwrap();

    shop.run("update product set name = 'đã đổi', version = 2 where id = $1", &[10]).await;
    shop.run("update product set deleted_at = now(), version = 2 where id = $1", &[20]).await;
    shop.product(1_000, "Món mới", 5).await;
    shop.apply(vec![product(10, 2), product(20, 2), product(1_000, 1)]).await;
    assert_eq!(shop.document(10).await["name"], "đã đổi");

    assert!(reindex.put(&old, &new, false).await.is_err(), "the alias does not name the old one any more");
    reindex.put(&new, &old, true).await.unwrap();
    assert_eq!(shop.document(10).await["name"], "Món 10", "what was written since is not there");
    let settled = reindex.catch_up(untold).await.unwrap();
    assert_eq!((settled.documents, settled.mended, settled.wrong), (40, 3, 0), "{settled:?}");
    assert_eq!(wrong(&shop).await, Vec::<i64>::new());
    assert!(reindex.forget(&old).await.is_err(), "what is searched stays");
    reindex.forget(&new).await.unwrap();
    let found = reindex.look().await.unwrap();
    assert_eq!((found.documents.len(), found.other), (1, None));
}

#[tokio::test]
async fn a_collection_that_refuses_what_is_searched_holds_up_nobody_and_does_not_take_its_place() {
    let shop = shop_with(20).await;
    let reindex = shop.worker(&shop.settings).reindex();
    let found = reindex.look().await.unwrap();
    reindex.fill(&found.next, untold).await.unwrap();
    // somebody takes the collection away while it is written beside
    let url = format!("{}collections/{}", shop.settings.url, found.next);
    let key = secrecy::ExposeSecret::expose_secret(&shop.settings.key).to_owned();
    shop.http.delete(url).header("x-typesense-api-key", key).send().await.unwrap();
    shop.run("update product set name = 'đã đổi', version = 2 where id = $1", &[10]).await;
    shop.apply(vec![product(10, 2)]).await;
    assert_eq!(shop.document(10).await["name"], "đã đổi");
    let beside = reindex.look().await.unwrap().beside.unwrap();
    assert!(beside.fault.is_some_and(|fault| fault.contains("404")));
    let refused = reindex.put(&found.searched, &found.next, false).await.unwrap_err().to_string();
    assert!(refused.contains("lacks something"), "{refused}");
    // again, from the start: the collection is new
    reindex.fill(&found.next, untold).await.unwrap();
    assert_eq!(reindex.settle(&found.next, untold).await.unwrap().wrong, 0);
    reindex.put(&found.searched, &found.next, false).await.unwrap();
    assert_eq!(wrong(&shop).await, Vec::<i64>::new());
    assert_eq!(shop.document(10).await["name"], json!("đã đổi"));
}
