//! The slot: lost, and seen in danger before it is.

use std::time::{Duration, Instant};

use super::connect;
use crate::day::{ALL, CACHE_INVALIDATION, Day, INVENTORY_DEFAULTS, MERCHANT_TAX, SEARCH_SYNC};

/// Some eight megabytes of log, of a table that nobody captures.
const BALLAST: &str = "
    create table ballast as select md5(n::text) a, md5((-n)::text) b from generate_series(1, 80000) n;
    drop table ballast;";

#[tokio::test(flavor = "multi_thread")]
async fn lost_with_changes_in_it_and_made_again() {
    let mut day = Day::begin(15, "slot lost with changes in it, slot recreated").await;
    let worker = day.worker(&ALL);
    let load = day.load();
    load.more(day.events / 3).await;
    connect::forget_offsets().await;
    load.more(day.events / 3).await;
    day.ask_source("select pg_drop_replication_slot('sluice_commerce')").await;
    // what is deleted from now on until the new slot is there is in no stream and in no snapshot
    load.more(day.events / 6).await;
    connect::resume().await;
    day.recover().await;
    let truth = load.end().await;
    // a footer of a merchant that is gone for good is dropped by nothing but its time to live
    let compared = [MERCHANT_TAX, INVENTORY_DEFAULTS, SEARCH_SYNC];
    day.read_to_the_end(&[MERCHANT_TAX, INVENTORY_DEFAULTS, SEARCH_SYNC, CACHE_INVALIDATION]).await;
    for consumer in compared {
        day.repair(consumer).await;
    }
    day.end_with(&compared, &truth).await;
    worker.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_grows_towards_its_limit_is_seen_before_the_slot_is_lost() {
    let mut day = Day::begin(17, "WAL growing towards its limit with a stopped connector").await;
    day.ask_source("alter system set max_slot_wal_keep_size = '256MB'").await;
    day.ask_source("select pg_reload_conf()").await;
    let worker = day.worker(&ALL);
    let load = day.load();
    load.more(day.events / 3).await;
    day.sluice(&["connectors", "pause", "commerce"]).await;
    let observer = day.observer().await;
    let safe = observer.value("slot_safe_wal_bytes").await;
    let began = Instant::now();
    loop {
        day.ask_source(BALLAST).await;
        let now = observer.value("slot_safe_wal_bytes").await;
        if now < safe / 2.0 {
            println!("the slot was safe for {safe} bytes and is for {now}: seen");
            break;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "nobody saw the log grow: {now} of {safe}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(observer.value("slot_lost").await < 1.0, "it was seen too late");
    day.sluice(&["connectors", "resume", "commerce"]).await;
    day.recover().await;
    day.ask_source("alter system reset max_slot_wal_keep_size").await;
    day.ask_source("select pg_reload_conf()").await;
    let truth = load.end().await;
    day.end(&truth).await;
    worker.kill().await;
}
