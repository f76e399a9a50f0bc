//! Documents that the engine refuses.

use runtime::verdict::Verdict;
use runtime::{Change, Consumer as _, Fault};
use search_sync::Touch;
use serde_json::json;

use crate::shop::{MERCHANT, Shop, batch, mark, product};

/// A shop whose collection cannot hold the document of a product with an image.
async fn shop_that_refuses(bad: i64, products: &[i64]) -> Shop {
    let shop = Shop::open().await;
    shop.make_collection_with(json!({ "name": "image_id", "type": "int32", "optional": true })).await;
    for id in products {
        shop.product(*id, &format!("Món {id}"), 45_000).await;
    }
    sqlx::query(
        "insert into media (id, merchant_id, object_key, file_name, content_type, size, sha256, created_by, version,
                            created_at, updated_at)
         values ($1, $2, 'k', 'f', 'image/png', 1, sha256('x'), 1, 1, now(), now())",
    )
    .bind(7_300_000_000_000_000_001_i64)
    .bind(MERCHANT)
    .execute(&shop.commerce.pool)
    .await
    .unwrap();
    shop.run("update product set image_id = 7300000000000000001 where id = $1", &[bad]).await;
    shop
}

#[tokio::test]
async fn one_refused_line_of_forty_parks_alone() {
    let ids: Vec<i64> = (1..=40).map(|place| place * 10).collect();
    let shop = shop_that_refuses(130, &ids).await;
    // As the runtime does it: a batch that is refused is halved until one plan is left.
    let mut batches: Vec<Vec<Change<Touch>>> = vec![ids.iter().map(|id| product(*id, 1)).collect()];
    let (mut parked, mut imported, mut refusals) = (Vec::new(), 0, 0);
    while let Some(changes) = batches.pop() {
        match shop.try_apply(changes.clone()).await {
            Ok(outcome) => imported += outcome.entities("imported"),
            Err(fault) => {
                assert_eq!(fault.verdict(), Verdict::Park, "{fault}");
                refusals += 1;
                match changes.as_slice() {
                    [only] => parked.push((only.entity.key().to_owned(), fault.to_string())),
                    more => batches.extend(more.chunks(more.len().div_ceil(2)).map(<[_]>::to_vec)),
                }
            }
        }
    }
    let [(key, reason)] = parked.as_slice() else { panic!("{parked:?}") };
    assert_eq!(key, "130");
    assert!(reason.contains("product 130") && reason.contains("image_id"), "{reason}");
    assert_eq!(shop.search("*", "", "").await["found"], 39);
    // The others went in with the first attempt; halving did not send them again.
    assert_eq!(imported, 0);
    assert!((6..=7).contains(&refusals), "{refusals}");
}

#[tokio::test]
async fn a_refused_batch_does_not_move_the_frontier() {
    let shop = shop_that_refuses(20, &[10, 20]).await;
    let refused = batch(&shop.consumer, vec![product(10, 1), product(20, 1)], Some(mark(7)));
    assert!(matches!(shop.consumer.apply(&refused).await, Err(Fault::Refused(_))));
    assert_eq!(shop.frontier().await, None);
    let good = batch(&shop.consumer, vec![product(10, 1)], Some(mark(7)));
    shop.consumer.apply(&good).await.unwrap();
    assert_eq!(shop.frontier().await, Some(7));
}

#[tokio::test]
async fn a_replay_repairs_a_damaged_document() {
    let shop = Shop::open().await;
    shop.product(10, "Phở bò", 45_000).await;
    let of_offset = |offset| {
        let mut change = product(10, 1);
        change.coordinates.offset = offset;
        vec![change]
    };
    shop.consumer.apply(&batch(&shop.consumer, of_offset(5), Some(mark(6)))).await.unwrap();
    let documents = format!("{}collections/{}/documents/10", shop.settings.url, shop.settings.collection);
    let key = secrecy::ExposeSecret::expose_secret(&shop.settings.key).to_owned();
    shop.http.delete(documents).header("x-typesense-api-key", key).send().await.unwrap();
    // A newer record of the same version says nothing new; an older one that comes again is a replay.
    assert_eq!(shop.apply(of_offset(6)).await.entities("imported"), 0);
    assert_eq!(shop.apply(of_offset(5)).await.entities("imported"), 1);
    assert_eq!(shop.document(10).await["name"], "Phở bò");
}
