//! Everything again, late, and in the wrong order: the end is the same.

use runtime::{Outcome, frontier};

use crate::stand::{Stand, counts, merchant, no_merchant, no_variant, variant};

#[tokio::test]
async fn every_batch_twice_is_every_batch_once() {
    let stand = Stand::new().await;
    let batches = [
        vec![variant(11, 5, 1), variant(12, 6, 2)],
        vec![merchant(10, 1), merchant(13, 2)],
        vec![no_variant(20, 6), variant(21, 7, 2), no_variant(22, 404)],
        vec![no_merchant(30, 1), variant(31, 6, 2)],
        vec![merchant(40, 1)],
    ];
    for batch in &batches {
        stand.apply(batch).await;
        let once = (stand.locations().await, stand.levels().await);
        stand.apply(batch).await;
        assert_eq!((stand.locations().await, stand.levels().await), once);
    }
}

#[tokio::test]
async fn a_replay_of_the_whole_history_changes_nothing() {
    let stand = Stand::new().await;
    let history = [
        merchant(10, 1),
        variant(11, 5, 1),
        variant(12, 6, 1),
        no_variant(20, 5),
        no_merchant(30, 1),
        merchant(40, 1),
        variant(50, 5, 1),
        no_variant(60, 6),
    ];
    for change in &history {
        stand.apply(std::slice::from_ref(change)).await;
    }
    let end = (stand.locations().await, stand.levels().await);
    for change in history.iter().chain(history.iter().rev()) {
        stand.apply(std::slice::from_ref(change)).await;
        assert_eq!((stand.locations().await, stand.levels().await), end, "after {change:?} again");
    }
}

/// Every order of four changes of one variant and one merchant ends where the newest of each says.
#[tokio::test]
async fn any_order_of_arrival_ends_the_same() {
    let changes =
        [merchant(10, 1), no_merchant(20, 1), merchant(30, 1), variant(11, 5, 1), no_variant(21, 5), variant(31, 5, 1)];
    for (first, second) in [(0, 3), (0, 4), (0, 5), (1, 3), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5)] {
        let stand = Stand::new().await;
        let mut order: Vec<_> = changes.iter().collect();
        order.rotate_left(second);
        order.swap(0, first);
        for change in order {
            stand.apply(std::slice::from_ref(change)).await;
        }
        let (location, level) = (&stand.locations().await[0], &stand.levels().await[0]);
        assert_eq!((location.gone, location.created_by, location.lsn), (false, Some(900), 30));
        assert_eq!((level.gone, level.quantity.as_str(), level.lsn), (false, "0", 31));
    }
}

#[tokio::test]
async fn a_variant_deleted_before_it_was_ever_seen_is_not_raised_by_an_older_change() {
    let stand = Stand::new().await;
    stand.apply(&[no_variant(20, 5)]).await;
    let outcome = stand.apply(&[variant(11, 5, 1)]).await;
    assert_eq!(counts(&outcome), [(Outcome::SUPERSEDED, 1)].into());
    assert!(stand.levels().await.is_empty());
    stand.apply(&[variant(30, 5, 1)]).await;
    assert_eq!(stand.levels().await.len(), 1, "a newer one is");
}

#[tokio::test]
async fn a_late_delete_does_not_take_what_came_back() {
    let stand = Stand::new().await;
    stand.apply(&[merchant(30, 1), variant(31, 5, 1)]).await;
    let outcome = stand.apply(&[no_variant(20, 5), no_merchant(21, 1)]).await;
    assert_eq!(counts(&outcome), [(Outcome::SUPERSEDED, 2)].into());
    assert!(!stand.levels().await[0].gone && !stand.locations().await[0].gone);
}

#[tokio::test]
async fn a_replay_repairs_a_level_that_went_wrong() {
    let stand = Stand::new().await;
    stand.apply(&[variant(11, 5, 1)]).await;
    stand.execute("update stock_level set product_id = 1, deleted_at = now()").await;
    stand.apply(&[variant(11, 5, 1)]).await;
    let level = &stand.levels().await[0];
    assert_eq!((level.product_id, level.gone), (7005, false));
}

#[tokio::test]
async fn the_mark_commits_with_the_effect() {
    let stand = Stand::new().await;
    stand.apply(&[variant(11, 5, 1)]).await;
    let next =
        frontier::read(&stand.database.pool, inventory_defaults::NAME, "commerce.public.variant", 0).await.unwrap();
    assert_eq!(next, Some(8));
    stand.apply(&[]).await;
}
