//! A target database that refuses, deadlocks, breaks off at the worst moment, or is restored from yesterday.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bed::Gate;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::crash::frontier;
use crate::day::{ALL, Back, Day, MERCHANT, MERCHANT_TAX};

/// Locks rows of the target in any order, two at a time, and lets them go again: whoever does that too gets a deadlock.
async fn rival(mut connection: PgConnection, seed: u64, stop: Arc<AtomicBool>) {
    let mut random = StdRng::seed_from_u64(seed);
    while !stop.load(Ordering::Relaxed) {
        let mut ids: Vec<i64> = sqlx::query_scalar("select merchant_id from tax_info order by cdc_lsn desc limit 40")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        ids.shuffle(&mut random);
        let mut transaction = connection.begin().await.unwrap();
        for id in ids {
            let touched = sqlx::query("update tax_info set updated_at = updated_at where merchant_id = $1")
                .bind(id)
                .execute(&mut *transaction)
                .await;
            // the deadlock may hit us
            if touched.is_err() {
                break;
            }
        }
        transaction.rollback().await.unwrap();
        tokio::time::sleep(Duration::from_millis(random.random_range(5..50))).await;
    }
}

/// One statement in ten ends as it does where transactions are serializable: the fleet's are not.
const UNSERIALIZABLE: &str = "
    create function refuse() returns trigger language plpgsql as $$ begin
        if random() < 0.1 then
            raise exception 'could not serialize access' using errcode = 'serialization_failure';
        end if;
        return null;
    end $$;
    create trigger refuse before insert or update or delete on tax_info for each statement execute function refuse();";

#[tokio::test(flavor = "multi_thread")]
async fn serialization_failures_deadlocks_and_commits_without_an_answer() {
    let mut day = Day::begin(12, "serialization failures, deadlocks, connection reset at COMMIT").await;
    let mut admin = day.invoice.as_administrator().connect().await.unwrap();
    let statement = format!("alter database {} set deadlock_timeout = '20ms'", day.invoice.name);
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut admin).await.unwrap();
    sqlx::raw_sql(UNSERIALIZABLE).execute(&mut admin).await.unwrap();
    let gate = Gate::before(&day.invoice.url);
    day.set("INVOICE__APP_ENV_DB_URL", gate.through(&day.invoice.url));
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    let stop = Arc::new(AtomicBool::new(false));
    let rivals: Vec<_> = (0..2).map(|n| (day.seed + n, day.invoice.as_administrator(), stop.clone())).collect();
    let mut at_work = Vec::new();
    for (seed, options, stop) in rivals {
        at_work.push(tokio::spawn(rival(options.connect().await.unwrap(), seed, stop)));
    }
    day.ready().await;
    for _ in 0..day.rounds(6) {
        gate.cut_commits(2);
        load.more(day.events / 10).await;
    }
    stop.store(true, Ordering::Relaxed);
    for rival in at_work {
        rival.await.unwrap();
    }
    assert!(gate.cut() > 0, "no commit was cut off");
    let (rollbacks, deadlocks): (i64, i64) =
        sqlx::query_as("select xact_rollback, deadlocks from pg_stat_database where datname = current_database()")
            .fetch_one(&day.invoice.pool)
            .await
            .unwrap();
    println!("{} commits cut off, {rollbacks} rollbacks, {deadlocks} deadlocks", gate.cut());
    day.recover().await;
    let truth = load.end().await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}

/// Yesterday's backup of the target, as a copy of every table that the consumer writes, positions and frontier included.
const BACK_UP: &str = "
    create schema backup;
    create table backup.tax_info as table tax_info;
    create table backup.tombstone as table cdc.tombstone;
    create table backup.frontier as table cdc.frontier;
    create table backup.written as table written;";
const RESTORE: &str = "
    truncate tax_info, cdc.tombstone, cdc.frontier, written;
    insert into tax_info select * from backup.tax_info;
    insert into cdc.tombstone select * from backup.tombstone;
    insert into cdc.frontier select * from backup.frontier;
    truncate written;
    insert into written select * from backup.written;";

#[tokio::test(flavor = "multi_thread")]
async fn restored_from_a_backup_older_than_its_offsets_it_is_noticed_and_repaired() {
    let mut day = Day::begin(22, "target restored from a backup older than its offsets").await;
    let worker = day.worker(&ALL);
    let load = day.load();
    day.ready().await;
    let partitions = day.partitions(MERCHANT).await;
    while frontier(&day).await.len() < partitions {
        load.more(10).await;
    }
    let mut admin = day.invoice.as_administrator().connect().await.unwrap();
    // one transaction with a snapshot of its own, as pg_dump has it
    let mut backup = admin.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::raw_sql(BACK_UP).execute(&mut *backup).await.unwrap();
    backup.commit().await.unwrap();
    load.more(day.events / 3).await;
    worker.kill().await;
    let mut restore = admin.begin().await.unwrap();
    sqlx::raw_sql(RESTORE).execute(&mut *restore).await.unwrap();
    restore.commit().await.unwrap();
    let restored = frontier(&day).await;
    let worker = day.worker(&ALL);
    let reasons = day.rewind_halted(&[MERCHANT_TAX], MERCHANT, Back::To(&restored)).await;
    assert!(reasons.iter().all(|reason| reason.contains("restored from an older backup")), "{reasons:#?}");
    day.recover().await;
    let truth = load.end().await;
    day.end(&truth).await;
    worker.kill().await;
}
