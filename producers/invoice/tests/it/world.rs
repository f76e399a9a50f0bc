//! Two merchants of different owners.

use crate::service::Running;

pub(crate) const ONE: i64 = 1_111_111_111;
pub(crate) const OTHER: i64 = 2_222_222_222;
pub(crate) const ONES_OWNER: i64 = 111;

pub(crate) async fn start() -> Running {
    let service = Running::start(&["tax-info"]).await;
    service
        .execute(
            "insert into tax_info (merchant_id, name, taxpayer, tax_code, tax_name, tax_address, address_line, province_code,
                                   ward_code, email, phone, created_by, updated_at, cdc_epoch, cdc_commit_lsn, cdc_lsn)
             values (1111111111, 'Phở Thìn', 'HOUSEHOLD', '0100109106', 'HKD Phở Thìn', null, '13 Lò Đúc', '01', '00004',
                     null, '0912345678', 111, '2026-11-01T08:00:00+07:00', 0, 1, 1),
                    (2222222222, 'Bún Chả', 'ENTERPRISE', null, null, null, '', null, null, null, null, 222, now(), 0, 1, 1)",
        )
        .await;
    service
}

/// No filter of this service names an id yet.
pub(crate) fn id_of(parameter: &str, _: i64) -> String {
    panic!("{parameter}: say here what it is of a merchant")
}
