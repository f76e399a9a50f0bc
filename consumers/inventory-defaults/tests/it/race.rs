//! Two workers at once, really: connections of their own, the same rows.

use inventory_defaults::Seen;
use runtime::{Change, Consumer as _};

use crate::stand::{Stand, merchant, no_merchant, no_variant, variant};

/// Applies two batches at the same time, retrying what the runtime would retry.
async fn both(stand: &Stand, one: &[Change<Seen>], other: &[Change<Seen>]) {
    let apply = |changes: Vec<Change<Seen>>| {
        let (consumer, batch) = (stand.consumer.clone(), stand.batch(&changes));
        tokio::spawn(async move {
            while let Err(fault) = consumer.apply(&batch).await {
                assert_eq!(fault.verdict(), runtime::verdict::Verdict::Retry, "{fault}");
            }
        })
    };
    let (one, other) = (apply(one.to_vec()), apply(other.to_vec()));
    one.await.unwrap();
    other.await.unwrap();
}

const ROUNDS: i64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_never_make_two_default_locations() {
    let stand = Stand::new().await;
    for round in 0..ROUNDS {
        let ids: Vec<_> = (1..=5).map(|n| 100 * (round + 1) + n).collect();
        let one: Vec<_> = ids.iter().map(|id| merchant(10, *id)).collect();
        let other: Vec<_> = ids.iter().rev().map(|id| variant(11, 50_000 + id, *id)).collect();
        both(&stand, &one, &other).await;
    }
    let locations = stand.locations().await;
    assert_eq!(locations.len(), usize::try_from(ROUNDS * 5).unwrap());
    assert!(locations.iter().all(|location| location.is_default && location.created_by == Some(900)));
    assert_eq!(stand.levels().await.len(), locations.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_workers_with_the_same_merchant_end_with_the_newer_change() {
    let stand = Stand::new().await;
    for round in 1..=ROUNDS {
        both(&stand, &[no_merchant(20, round)], &[merchant(10, round)]).await;
        both(&stand, &[merchant(20, ROUNDS + round)], &[no_merchant(10, ROUNDS + round)]).await;
    }
    for location in stand.locations().await {
        assert_eq!((location.lsn, location.gone), (20, location.id <= ROUNDS));
    }
}

/// The delete of a variant that has no level and an older change that makes one: neither sees the other's work before it
/// commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_delete_and_an_older_change_of_an_unseen_variant_end_deleted() {
    let stand = Stand::new().await;
    stand.apply(&[merchant(1, 1)]).await;
    for round in 1..=ROUNDS {
        both(&stand, &[no_variant(20, round)], &[variant(10, round, 1)]).await;
    }
    for level in stand.levels().await {
        assert!(level.gone, "{level:?} was raised from the dead");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_with_the_same_variants_end_with_the_newest_of_each() {
    let stand = Stand::new().await;
    for round in 0..10 {
        let ids: Vec<_> = (1..=50).map(|n| 100 * round + n).collect();
        let older: Vec<_> = ids.iter().map(|id| variant(10, *id, id % 3 + 1)).collect();
        let newer: Vec<_> = ids
            .iter()
            .rev()
            .map(|id| if id % 2 == 0 { variant(20, *id, id % 3 + 1) } else { no_variant(20, *id) })
            .collect();
        both(&stand, &older, &newer).await;
    }
    for level in stand.levels().await {
        assert_eq!((level.lsn, level.gone), (20, level.variant_id % 2 == 1), "{level:?}");
    }
}
