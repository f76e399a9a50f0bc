//! A worker that loses partitions while it applies, and finishes late.
//!
//! Here partitions move by the strategy `cooperative-sticky`; `tests/faults/group.rs` does it under load, and with an eager
//! one, which takes every partition from every worker at each rebalance.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::Connection as _;

use crate::items::Switches;
use crate::stage::{Stage, until};

/// What a target's triggers note of a position that goes down.
const WATCH: &str = "
    create table regression (what text not null);
    create function note_item() returns trigger language plpgsql as $$ begin
        if (new.cdc_epoch, new.cdc_commit_lsn, new.cdc_lsn) < (old.cdc_epoch, old.cdc_commit_lsn, old.cdc_lsn) then
            insert into regression values (format('item %s: %s to %s', old.id, old.cdc_lsn, new.cdc_lsn));
        end if;
        return null;
    end $$;
    create trigger note_item after update on item for each row execute function note_item();
    create function note_frontier() returns trigger language plpgsql as $$ begin
        if new.next_offset < old.next_offset then
            insert into regression values (format('frontier %s: %s to %s', old.partition, old.next_offset, new.next_offset));
        end if;
        return null;
    end $$;
    create trigger note_frontier after update on cdc.frontier for each row execute function note_frontier();";

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_that_finishes_late_takes_nothing_back() {
    let stage = Stage::set(2).await;
    sqlx::raw_sql(WATCH).execute(&stage.target.pool).await.unwrap();
    // each transaction of the first worker waits for this lock of ours
    let mut holder = sqlx::PgConnection::connect(&stage.target.url).await.unwrap();
    sqlx::query("select pg_advisory_lock($1)").bind(Stage::LOCK).execute(&mut holder).await.unwrap();
    stage.send_all([(0, 1, 10, "old".to_owned()), (1, 2, 11, "old".to_owned())]).await;
    let held = Arc::new(Switches::default());
    held.waits_for_lock.store(true, Ordering::Relaxed);
    let first = stage.start_around(|around| {
        around.switches = held.clone();
        // a revoked partition is not waited for: what it applies goes on behind the group's back
        around.settings.drain = Duration::from_millis(200);
    });
    until("what the first worker applies", &held.attempts, 2).await;

    // the second worker is given one of the partitions, and gets ahead of the first there
    let second = stage.start();
    stage.send_all([(0, 1, 20, "new".to_owned()), (1, 2, 21, "new".to_owned())]).await;
    until("what the second worker applied", &stage.switches.applied, 1).await;
    let rows = stage.rows().await;
    assert!(rows.len() == 1 && rows[0].1 == "new", "{rows:?}");
    assert_eq!(held.applied.load(Ordering::SeqCst), 0, "the first worker was not held");
    let committed = stage.committed();

    sqlx::query("select pg_advisory_unlock($1)").bind(Stage::LOCK).execute(&mut holder).await.unwrap();
    until("what the first worker applied late", &held.applied, 2).await;
    stage.expect(&[(1, "new"), (2, "new")]).await;
    first.stop().await;
    second.stop().await;
    let regressions: Vec<String> =
        sqlx::query_scalar("select what from regression").fetch_all(&stage.target.pool).await.unwrap();
    assert!(regressions.is_empty(), "{regressions:?}");
    for (before, after) in committed.iter().zip(stage.committed()) {
        assert!(after >= *before, "a committed offset went from {before:?} to {after:?}");
    }
    assert!(stage.parked().await.is_empty());
}
