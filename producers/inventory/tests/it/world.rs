//! Two merchants of different owners, each with a default location and two levels there. Every id of a merchant's rows
//! contains the merchant's, so that a row of it cannot be shown unseen.

use crate::service::Running;

pub(crate) const ONE: i64 = 1_111_111_111;
pub(crate) const OTHER: i64 = 2_222_222_222;
pub(crate) const ONES_OWNER: i64 = 111;

pub(crate) async fn start() -> Running {
    let service = Running::start(&["location", "level"]).await;
    service
        .execute(
            "insert into location (id, merchant_id, name, is_default, created_by, version, created_at, updated_at, deleted_at,
                                   cdc_epoch, cdc_commit_lsn, cdc_lsn)
             select m, m, 'Kho mặc định', true, owner, 1, '2026-11-01T08:00:00+07:00', '2026-11-01T08:00:00+07:00', null, 0, 1, 1
               from (values (1111111111, 111), (2222222222, 222)) as v (m, owner);
             insert into stock_level (location_id, variant_id, merchant_id, product_id, quantity, version, created_at,
                                      updated_at, deleted_at, cdc_epoch, cdc_commit_lsn, cdc_lsn)
             select m, m * 10 + n, m, m * 10, n * 1.25, 1, now(), now(), null, 0, 1, 1
               from (values (1111111111), (2222222222)) as v (m), generate_series(0, 1) as n",
        )
        .await;
    service
}

/// What a filter has to say to ask for a merchant's rows.
pub(crate) fn id_of(parameter: &str, merchant: i64) -> String {
    match parameter {
        "merchant_id" | "location_id" => merchant.to_string(),
        "variant_id" => (merchant * 10).to_string(),
        other => panic!("{other}: say here what it is of a merchant"),
    }
}
