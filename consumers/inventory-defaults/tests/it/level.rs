//! Levels: nought for a new variant, and never touched again but for coming and going.

use inventory_defaults::REMOVED;
use runtime::verdict::Verdict;
use runtime::{Consumer as _, Outcome};

use crate::stand::{Level, Stand, counts, merchant, no_merchant, no_variant, variant};

fn level(variant_id: i64, quantity: &str, gone: bool, version: i64, lsn: i64) -> Level {
    let quantity = quantity.to_owned();
    Level { location_id: 1, variant_id, merchant_id: 1, product_id: 7000 + variant_id, quantity, gone, version, lsn }
}

#[tokio::test]
async fn a_new_variant_has_nought_at_the_default_location() {
    let stand = Stand::new().await;
    stand.apply(&[merchant(10, 1), variant(11, 5, 1)]).await;
    assert_eq!(stand.levels().await, [level(5, "0", false, 1, 11)]);
}

#[tokio::test]
async fn stock_that_was_moved_is_never_touched() {
    let stand = Stand::new().await;
    stand.apply(&[variant(11, 5, 1), variant(11, 6, 1)]).await;
    stand.execute("update stock_level set quantity = 2.5, version = version + 1 where variant_id = 5").await;
    stand.execute("update stock_level set quantity = -3, version = version + 1 where variant_id = 6").await;
    for lsn in [11, 20] {
        stand.apply(&[variant(lsn, 5, 1), variant(lsn, 6, 1)]).await;
    }
    stand.apply(&[no_variant(30, 5), no_merchant(31, 1)]).await;
    stand.apply(&[variant(40, 5, 1), merchant(41, 1)]).await;
    assert_eq!(stand.levels().await, [level(5, "2.5", false, 4, 40), level(6, "-3", false, 2, 20)]);
}

#[tokio::test]
async fn a_variant_that_goes_and_comes_back_keeps_its_level() {
    let stand = Stand::new().await;
    stand.apply(&[variant(11, 5, 1)]).await;
    let outcome = stand.apply(&[no_variant(20, 5)]).await;
    assert_eq!(counts(&outcome), [(REMOVED, 1)].into());
    assert_eq!(stand.levels().await, [level(5, "0", true, 2, 20)]);
    stand.apply(&[variant(30, 5, 1)]).await;
    assert_eq!(stand.levels().await, [level(5, "0", false, 3, 30)]);
}

#[tokio::test]
async fn levels_at_other_locations_go_and_come_back_too() {
    let stand = Stand::new().await;
    stand.apply(&[merchant(10, 1), variant(11, 5, 1)]).await;
    stand
        .execute(
            "insert into location select 2, merchant_id, 'Quầy', false, created_by, 1, now(), now(), null, 0, 0, 0 from location;
             insert into stock_level select 2, variant_id, merchant_id, product_id, 7, 1, now(), now(), null, 0, 0, 0 from stock_level",
        )
        .await;
    let gone = |levels: Vec<Level>| levels.iter().map(|level| (level.location_id, level.gone)).collect::<Vec<_>>();
    stand.apply(&[no_variant(20, 5)]).await;
    assert_eq!(gone(stand.levels().await), [(1, true), (2, true)]);
    stand.apply(&[variant(30, 5, 1)]).await;
    assert_eq!(gone(stand.levels().await), [(1, false), (2, false)]);
    assert_eq!(stand.levels().await[1].quantity, "7");
}

#[tokio::test]
async fn a_thousand_variants_of_many_merchants_are_one_batch() {
    let stand = Stand::new().await;
    let changes: Vec<_> =
        (0..2_000).map(|n| variant(100 + u64::try_from(n).unwrap(), 10_000 + n, n % 40 + 1)).collect();
    let outcome = stand.apply(&changes).await;
    assert_eq!(counts(&outcome), [(Outcome::APPLIED, 2_000)].into());
    assert_eq!((stand.locations().await.len(), stand.levels().await.len()), (40, 2_000));
}

#[tokio::test]
async fn a_merchant_without_a_default_among_its_locations_refuses_its_variants_and_keeps_nothing_of_the_batch() {
    let stand = Stand::new().await;
    stand.apply(&[merchant(10, 1)]).await;
    stand.execute("update location set is_default = false").await;
    let fault = stand.consumer.apply(&stand.batch(&[variant(20, 5, 1), variant(20, 6, 2)])).await.unwrap_err();
    assert_eq!(fault.verdict(), Verdict::Park);
    assert!(fault.to_string().contains("make one the default"), "{fault}");
    assert!(stand.levels().await.is_empty());
}
