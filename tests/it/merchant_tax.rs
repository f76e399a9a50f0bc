//! Merchants into invoice's tax info.

use std::time::Duration;

use backbone::process::Process;
use backbone::source::{self, Merchants};
use backbone::{eventually, source::commerce};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sqlx::{PgPool, Row as _};

/// What a test of its own needs: databases and a group.
struct Stage {
    invoice: bed::Database,
    backbone: bed::Database,
    group: String,
}

impl Stage {
    async fn set() -> Self {
        let (invoice, backbone) = tokio::join!(bed::database("invoice"), bed::database("backbone"));
        Self { invoice, backbone, group: bed::unique("merchant-tax") }
    }

    fn start(&self) -> Process {
        let variables = [
            ("APP_ENV_KAFKA_GROUP", self.group.as_str()),
            ("INVOICE__APP_ENV_DB_URL", &self.invoice.url),
            ("BACKBONE__APP_ENV_DB_URL", &self.backbone.url),
        ];
        Process::start(&["consume", "merchant-tax"], &variables)
    }
}

/// What invoice knows of these merchants.
pub(crate) async fn tax_info(invoice: &PgPool, ids: &[i64]) -> Merchants {
    let rows = sqlx::query("select merchant_id, name, tax_name from tax_info where merchant_id = any($1)")
        .bind(ids)
        .fetch_all(invoice)
        .await
        .unwrap();
    rows.iter().map(|row| (row.get("merchant_id"), (row.get("name"), row.get("tax_name")))).collect()
}

#[tokio::test]
async fn a_merchant_reaches_invoices_tax_info_and_an_unchanged_update_is_skipped() {
    let (stage, commerce) = (Stage::set().await, commerce());
    let consumer = stage.start();
    let ids = [source::id()];
    let [id] = ids;
    source::insert(&commerce, id, "Phở Thìn", Some("HỘ KINH DOANH PHỞ THÌN")).await;
    let expected: Merchants = [(id, ("Phở Thìn".into(), Some("HỘ KINH DOANH PHỞ THÌN".into())))].into();
    eventually("the tax info", expected.clone(), || tax_info(&stage.invoice.pool, &ids)).await;
    sqlx::query("update merchant set status = 'SUSPENDED', version = 2 where id = $1")
        .bind(id)
        .execute(&commerce)
        .await
        .unwrap();
    let marker = "[handleMerchantCDC] op=u tax unchanged, SKIP";
    let skipped = |lines: String| lines.lines().any(|line| line.contains(marker) && line.contains(&id.to_string()));
    eventually("the marker", true, || async { skipped(consumer.lines()) }).await;
    assert_eq!(tax_info(&stage.invoice.pool, &ids).await, expected);
    let (code, took) = consumer.terminate().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "SIGTERM took {took:?}");
}

#[tokio::test]
async fn a_damaged_row_is_repaired_by_a_change_that_changes_nothing() {
    let (stage, commerce) = (Stage::set().await, commerce());
    let consumer = stage.start();
    let ids = [source::id()];
    let [id] = ids;
    source::insert(&commerce, id, "Bún chả", None).await;
    let expected: Merchants = [(id, ("Bún chả".into(), None))].into();
    eventually("the tax info", expected.clone(), || tax_info(&stage.invoice.pool, &ids)).await;
    sqlx::query("update tax_info set name = 'damaged' where merchant_id = $1")
        .bind(id)
        .execute(&stage.invoice.pool)
        .await
        .unwrap();
    sqlx::query("update merchant set version = version + 1 where id = $1").bind(id).execute(&commerce).await.unwrap();
    eventually("the repair", expected, || tax_info(&stage.invoice.pool, &ids)).await;
    consumer.kill().await;
}

#[tokio::test]
async fn a_consumer_killed_again_and_again_loses_nothing() {
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (stage, commerce) = (Stage::set().await, commerce());
    let mut merchants = Merchants::new();
    let mut ids = Vec::new();
    let mut consumer = stage.start();
    for round in 0..6 {
        for _ in 0..random.random_range(50..200) {
            source::change(&commerce, &mut merchants, &mut random).await;
            ids.extend(merchants.keys());
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1500))).await;
        println!("killing it the {round}. time");
        consumer.kill().await;
        consumer = stage.start();
    }
    ids.sort_unstable();
    ids.dedup();
    eventually("the model", merchants, || tax_info(&stage.invoice.pool, &ids)).await;
    let parked: i64 =
        sqlx::query_scalar("select count(*) from parked_change").fetch_one(&stage.backbone.pool).await.unwrap();
    assert_eq!(parked, 0);
    consumer.kill().await;
}

#[tokio::test]
async fn wrong_configuration_refuses_to_start_and_names_every_variable() {
    let consumer = Process::start(
        &["consume", "merchant-tax"],
        &[("APP_ENV_KAFKA_BROKERS", ""), ("INVOICE__APP_ENV_DB_URL", ""), ("APP_ENV_PARK_LIMIT", "many")],
    );
    eventually("the refusal", true, || async { consumer.lines().contains("APP_ENV_PARK_LIMIT") }).await;
    let lines = consumer.lines();
    assert!(lines.contains("APP_ENV_KAFKA_BROKERS") && lines.contains("INVOICE__APP_ENV_DB_URL"), "{lines}");
    let (code, _) = consumer.terminate().await;
    assert_eq!(code, Some(64));
}
