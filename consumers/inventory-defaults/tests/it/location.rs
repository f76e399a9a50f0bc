//! The default location: made once, by whichever comes first; gone and back with its merchant.

use inventory_defaults::{InventoryDefaults, REMOVED, Seen};
use runtime::{Consumer as _, Outcome};
use schemas::commerce::merchant::Merchant;
use schemas::commerce::variant::Variant;
use serde_json::json;

use crate::stand::{Location, Stand, counts, merchant, no_merchant, variant};

fn default_of(merchant_id: i64, created_by: Option<i64>, gone: bool, version: i64, lsn: i64) -> Location {
    Location { id: merchant_id, merchant_id, is_default: true, created_by, gone, version, lsn }
}

#[tokio::test]
async fn a_merchant_that_comes_first_makes_its_default_location() {
    let stand = Stand::new().await;
    let outcome = stand.apply(&[merchant(10, 1)]).await;
    assert_eq!(counts(&outcome), [(Outcome::APPLIED, 1)].into());
    assert_eq!(stand.locations().await, [default_of(1, Some(900), false, 2, 10)]);
}

#[tokio::test]
async fn a_variant_that_comes_first_makes_it_and_the_merchant_completes_it() {
    let stand = Stand::new().await;
    stand.apply(&[variant(20, 5, 1)]).await;
    assert_eq!(stand.locations().await, [default_of(1, None, false, 1, 0)], "it waits for its merchant's change");
    // An older position than the variant's: positions of different rows have nothing to do with one another here.
    stand.apply(&[merchant(10, 1)]).await;
    assert_eq!(stand.locations().await, [default_of(1, Some(900), false, 2, 10)]);
    assert_eq!(stand.levels().await.len(), 1);
}

#[tokio::test]
async fn merchant_and_variant_in_one_batch_share_one_location() {
    let stand = Stand::new().await;
    let outcome = stand.apply(&[variant(11, 5, 1), merchant(10, 1), variant(12, 6, 1), variant(13, 7, 2)]).await;
    assert_eq!(counts(&outcome), [(Outcome::APPLIED, 4)].into());
    assert_eq!(stand.locations().await, [default_of(1, Some(900), false, 2, 10), default_of(2, None, false, 1, 0)]);
}

#[tokio::test]
async fn a_merchant_that_goes_takes_its_locations_along_and_brings_back_those_that_went_with_it() {
    let stand = Stand::new().await;
    stand.apply(&[merchant(10, 1), variant(11, 5, 1)]).await;
    // A second location, and a third that its owner deleted long ago.
    stand
        .execute(
            "insert into location select id + 1, merchant_id, 'Quầy', false, created_by, 1, now(), now(), null, 0, 0, 0 from location;
             insert into location select id + 2, merchant_id, 'Cũ', false, created_by, 1, now(), now(), '2025-01-01', 0, 0, 0
               from location where is_default",
        )
        .await;
    let gone = |locations: &[Location]| locations.iter().map(|location| location.gone).collect::<Vec<_>>();
    let outcome = stand.apply(&[no_merchant(20, 1)]).await;
    assert_eq!(counts(&outcome), [(REMOVED, 1)].into());
    assert_eq!(gone(&stand.locations().await), [true, true, true]);
    assert_eq!(stand.levels().await.len(), 1, "stock is never lost");
    stand.apply(&[merchant(30, 1)]).await;
    assert_eq!(gone(&stand.locations().await), [false, false, true]);
}

#[tokio::test]
async fn a_merchant_that_was_gone_before_it_was_seen_leaves_a_location_that_is_gone() {
    let stand = Stand::new().await;
    stand.apply(&[no_merchant(20, 1)]).await;
    let outcome = stand.apply(&[merchant(10, 1)]).await;
    assert_eq!(counts(&outcome), [(Outcome::SUPERSEDED, 1)].into());
    stand.apply(&[variant(15, 5, 1)]).await;
    assert_eq!(stand.locations().await, [default_of(1, None, true, 2, 20)]);
    stand.apply(&[merchant(30, 1)]).await;
    assert_eq!(stand.locations().await, [default_of(1, Some(900), false, 3, 30)]);
}

#[tokio::test]
async fn a_merchant_whose_default_was_moved_keeps_the_new_one() {
    let stand = Stand::new().await;
    stand.apply(&[merchant(10, 1)]).await;
    stand
        .execute(
            "update location set is_default = false;
             insert into location select 99, merchant_id, 'Kho mới', true, created_by, 1, now(), now(), null, 0, 0, 0 from location",
        )
        .await;
    stand.apply(&[merchant(20, 1), variant(21, 5, 1)]).await;
    let locations = stand.locations().await;
    assert_eq!(locations.iter().map(|l| (l.id, l.is_default)).collect::<Vec<_>>(), [(1, false), (99, true)]);
    assert_eq!(stand.levels().await[0].location_id, 99);
}

#[tokio::test]
async fn a_name_that_its_owner_gave_stays() {
    let stand = Stand::new().await;
    stand.apply(&[merchant(10, 1)]).await;
    stand.execute("update location set name = 'Kho Cầu Giấy'").await;
    stand.apply(&[merchant(20, 1), variant(21, 5, 1)]).await;
    let name: String = sqlx::query_scalar("select name from location").fetch_one(&stand.database.pool).await.unwrap();
    assert_eq!(name, "Kho Cầu Giấy");
}

#[test]
fn rows_of_both_topics_become_what_is_read_of_them() {
    let merchant: Merchant = serde_json::from_value(json!({
        "id": 1, "name": "a", "industry": "RETAIL", "taxpayer": "HOUSEHOLD", "tax_code": null, "tax_name": null,
        "tax_address": null, "address_line": "", "province_code": null, "ward_code": null, "phone": null, "email": null,
        "status": "ACTIVE", "created_by": 900, "version": 1, "updated_at": "2026-11-01T00:00:00Z",
        "deleted_at": "2026-11-02T00:00:00Z",
    }))
    .unwrap();
    assert_eq!(Seen::from(&merchant), Seen::Merchant { id: 1, created_by: 900, gone: true });
    let variant: Variant = serde_json::from_value(json!({
        "id": 5, "product_id": 7, "merchant_id": 1, "sku": "a", "barcode": null, "name": "", "unit": "", "price": 0,
        "cost": null, "attributes": "{}", "is_default": true, "position": 0, "version": 1,
        "updated_at": "2026-11-01T00:00:00Z", "deleted_at": null,
    }))
    .unwrap();
    assert_eq!(Seen::from(&variant), Seen::Variant { id: 5, product_id: 7, merchant_id: 1, gone: false });
}

#[tokio::test]
async fn the_consumer_reads_both_topics() {
    let stand = Stand::new().await;
    let names =
        |consumer: &InventoryDefaults| consumer.topics().iter().map(|t| t.name().to_string()).collect::<Vec<_>>();
    assert_eq!(names(&stand.consumer), ["commerce.public.merchant", "commerce.public.variant"]);
}
