//! Two workers at one merchant, on a real database.
#![expect(clippy::unwrap_used, reason = "the functions beside the tests are tests too")]

use std::sync::Arc;
use std::time::Duration;

use merchant_tax::{MerchantTax, NAME, Plan, TaxInfo};
use runtime::{Batch, Consumer as _, Coordinates, EntityKey, Outcome, Planned};
use schemas::{Field, Position};
use time::OffsetDateTime;

const TOPIC: &str = "commerce.public.merchant";

fn batch(lsn: u64, plan: Plan) -> Batch<Plan> {
    let planned = Planned {
        entity: EntityKey::new(TOPIC.into(), "1"),
        position: Position { epoch: 0, commit_lsn: lsn, lsn },
        coordinates: Coordinates { topic: TOPIC.into(), partition: 0, offset: 7 },
        plan,
    };
    Batch { consumer: NAME, plans: vec![planned], mark: None }
}

fn keep(lsn: u64) -> Batch<Plan> {
    let info = TaxInfo {
        merchant_id: 1,
        name: Field::Value(format!("Quán {lsn}")),
        taxpayer: "HOUSEHOLD".to_owned(),
        tax_code: None,
        tax_name: Field::Value(None),
        tax_address: Field::Value(None),
        address_line: Field::Value("12 Lý Thường Kiệt".to_owned()),
        province_code: None,
        ward_code: None,
        email: Field::Value(None),
        phone: Field::Value(None),
        created_by: 1,
        updated_at: OffsetDateTime::UNIX_EPOCH,
        update: false,
    };
    batch(lsn, Plan::Keep(Box::new(info)))
}

/// A change that does not carry the address, because it stands beside the row and was not touched.
fn rename(lsn: u64) -> Batch<Plan> {
    let mut batch = keep(lsn);
    if let Plan::Keep(info) = &mut batch.plans[0].plan {
        info.tax_address = Field::Unchanged;
    }
    batch
}

fn remove(lsn: u64) -> Batch<Plan> {
    batch(lsn, Plan::Remove { merchant_id: 1 })
}

async fn rows(database: &bed::Database) -> Vec<(i64, i64)> {
    sqlx::query_as("select merchant_id, cdc_lsn from tax_info").fetch_all(&database.pool).await.unwrap()
}

/// Every write of `tax_info` takes a second, and its transaction as long.
const SLOW: &str = "
    create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$;
    create trigger dawdle after insert or update on tax_info for each row execute function dawdle();";

#[tokio::test]
async fn a_late_write_does_not_raise_what_was_removed_meanwhile() {
    let database = bed::database("invoice").await;
    let consumer = Arc::new(MerchantTax::new(database.pool.clone()));
    // with a row that is there, and with one that was never seen
    for first in [None, Some(keep(1))] {
        if let Some(first) = first {
            consumer.apply(&first).await.unwrap();
        }
        sqlx::raw_sql(SLOW).execute(&database.pool).await.unwrap();
        let late = consumer.clone();
        let late = tokio::spawn(async move { late.apply(&keep(3)).await.unwrap() });
        tokio::time::sleep(Duration::from_millis(300)).await;
        consumer.apply(&remove(5)).await.unwrap();
        late.await.unwrap();
        assert_eq!(rows(&database).await, [], "it was removed at 5, and the write of 3 came late");
        sqlx::raw_sql("drop trigger dawdle on tax_info; drop function dawdle; truncate cdc.tombstone")
            .execute(&database.pool)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_change_that_lacks_a_column_is_late_rather_than_refused_once_the_merchant_is_gone() {
    let database = bed::database("invoice").await;
    let consumer = MerchantTax::new(database.pool.clone());
    assert!(consumer.apply(&rename(2)).await.is_err(), "there is no row to keep the address of");
    consumer.apply(&keep(1)).await.unwrap();
    assert_eq!(consumer.apply(&rename(2)).await.unwrap().entities(Outcome::APPLIED), 1);
    consumer.apply(&remove(3)).await.unwrap();
    // delivered again, after what came later
    assert_eq!(consumer.apply(&rename(2)).await.unwrap().entities(Outcome::SUPERSEDED), 1);
    assert_eq!(rows(&database).await, []);
    assert!(consumer.apply(&rename(4)).await.is_err(), "newer than the removal, and there is nothing to complete");
}

/// A change that carries this address.
fn moves(lsn: u64, address: &str) -> Batch<Plan> {
    let mut batch = keep(lsn);
    if let Plan::Keep(info) = &mut batch.plans[0].plan {
        info.tax_address = Field::Value(Some(address.to_owned()));
    }
    batch
}

#[tokio::test]
async fn what_a_newer_change_did_not_carry_comes_late_and_is_written_and_nothing_else_of_it() {
    let database = bed::database("invoice").await;
    let consumer = MerchantTax::new(database.pool.clone());
    let row = async || -> (String, Option<String>, i64, Option<String>) {
        let statement = "select name, tax_address, cdc_lsn, cdc_kept::text from tax_info";
        sqlx::query_as(statement).fetch_one(&database.pool).await.unwrap()
    };
    consumer.apply(&moves(1, "first")).await.unwrap();
    consumer.apply(&rename(5)).await.unwrap();
    let kept = |lsn: u64| Some(format!(r#"{{"tax_address": [0, {lsn}, {lsn}]}}"#));
    assert_eq!(row().await, ("Quán 5".to_owned(), Some("first".to_owned()), 5, kept(1)));
    // the key had moved to another partition: what lies between the two comes after both
    assert_eq!(consumer.apply(&moves(3, "third")).await.unwrap().entities(Outcome::APPLIED), 1);
    assert_eq!(row().await, ("Quán 5".to_owned(), Some("third".to_owned()), 5, kept(3)));
    for late in [moves(2, "second"), moves(3, "third"), rename(4)] {
        assert_eq!(consumer.apply(&late).await.unwrap().entities(Outcome::SUPERSEDED), 1);
    }
    // again, as after a rewind
    consumer.apply(&rename(5)).await.unwrap();
    assert_eq!(row().await, ("Quán 5".to_owned(), Some("third".to_owned()), 5, kept(3)));
    consumer.apply(&moves(6, "sixth")).await.unwrap();
    assert_eq!(row().await, ("Quán 6".to_owned(), Some("sixth".to_owned()), 6, None));
    assert_eq!(consumer.apply(&moves(4, "fourth")).await.unwrap().entities(Outcome::SUPERSEDED), 1);
}

#[tokio::test]
async fn an_older_removal_of_a_newer_row_leaves_nothing_behind() {
    let database = bed::database("invoice").await;
    let consumer = MerchantTax::new(database.pool.clone());
    consumer.apply(&keep(5)).await.unwrap();
    let outcome = consumer.apply(&remove(3)).await.unwrap();
    assert_eq!(outcome.entities(Outcome::SUPERSEDED), 1);
    assert_eq!(rows(&database).await, [(1, 5)]);
    let tombstones: i64 =
        sqlx::query_scalar("select count(*) from cdc.tombstone").fetch_one(&database.pool).await.unwrap();
    assert_eq!(tombstones, 0);
    let outcome = consumer.apply(&remove(6)).await.unwrap();
    assert_eq!(outcome.entities("removed"), 1);
    let outcome = consumer.apply(&remove(4)).await.unwrap();
    assert_eq!((outcome.entities("removed"), rows(&database).await), (0, Vec::new()));
}
