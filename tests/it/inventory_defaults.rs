//! Merchants and variants into inventory's default locations and zero levels.

use backbone::eventually;
use backbone::process::Process;
use backbone::source::{self, commerce};
use sqlx::{PgPool, Row as _};

/// (default locations, levels at zero) of a merchant, the deleted ones left out.
async fn stock(inventory: &PgPool, merchant_id: i64) -> (i64, i64) {
    let row = sqlx::query(
        "select (select count(*) from location where merchant_id = $1 and is_default and deleted_at is null) as locations,
                (select count(*) from stock_level s join location l on l.id = s.location_id
                  where s.merchant_id = $1 and s.quantity = 0 and s.deleted_at is null and l.deleted_at is null) as levels",
    )
    .bind(merchant_id)
    .fetch_one(inventory)
    .await
    .unwrap();
    (row.get("locations"), row.get("levels"))
}

#[tokio::test]
async fn a_merchant_has_one_default_location_and_a_zero_level_per_variant_even_after_a_kill() {
    let (inventory, backbone) = tokio::join!(bed::database("inventory"), bed::database("backbone"));
    let group = bed::unique("inventory-defaults");
    let start = || {
        Process::start(
            &["consume", "inventory-defaults"],
            &[
                ("APP_ENV_KAFKA_GROUP", group.as_str()),
                ("INVENTORY__APP_ENV_DB_URL", &inventory.url),
                ("BACKBONE__APP_ENV_DB_URL", &backbone.url),
            ],
        )
    };
    let consumer = start();
    let (commerce, merchant) = (commerce(), source::id());
    source::insert(&commerce, merchant, "Tạp hóa Cô Ba", None).await;
    source::insert_product(&commerce, merchant, "Mì Hảo Hảo").await;
    source::insert_product(&commerce, merchant, "Nước mắm Nam Ngư").await;
    eventually("the stock", (1, 2), || stock(&inventory.pool, merchant)).await;
    consumer.kill().await;
    source::insert_product(&commerce, merchant, "Cà phê G7").await;
    let consumer = start();
    eventually("the stock after a kill", (1, 3), || stock(&inventory.pool, merchant)).await;
    sqlx::query("update merchant set deleted_at = now(), version = version + 1 where id = $1")
        .bind(merchant)
        .execute(&commerce)
        .await
        .unwrap();
    eventually("the stock of a merchant that is gone", (0, 0), || stock(&inventory.pool, merchant)).await;
    consumer.kill().await;
}
