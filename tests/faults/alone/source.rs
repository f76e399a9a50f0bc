//! The source itself, restored from a backup.

use backbone::process::Process;
use bed::{Cluster, Stop};
use sqlx::{Connection as _, PgConnection};

use super::connect;
use crate::day::{Day, INVENTORY_DEFAULTS, MERCHANT_TAX};

/// Consumers whose targets are made of changes, so that an older position would keep a restored row out.
const COMPARED: [&str; 2] = [MERCHANT_TAX, INVENTORY_DEFAULTS];

#[tokio::test(flavor = "multi_thread")]
async fn restored_from_a_backup_its_positions_go_back_and_a_new_epoch_begins() {
    let mut day = Day::begin(15, "source restored from a backup: its positions go back").await;
    // a cluster of its own: everybody else's databases are not to go back
    let mut cluster = Cluster::start().await;
    cluster.database("commerce").await;
    day.move_source(cluster.port());
    connect::forget_offsets().await;
    day.sluice(&["connectors", "apply", "commerce"]).await;
    connect::resume().await;
    let worker = day.worker(&COMPARED);

    let kept = day.load().end().await;
    day.read_to_the_end(&COMPARED).await;
    connect::stop().await;
    cluster.stop(Stop::Fast).await;
    cluster.back_up().await;
    cluster.start_again().await;
    connect::resume().await;
    let lost = day.load_after(kept.clone()).end().await;
    day.read_to_the_end(&COMPARED).await;

    connect::forget_offsets().await;
    cluster.stop(Stop::Immediate).await;
    cluster.restore().await;
    cluster.start_again().await;
    // the slot is a memory of the timeline that is gone
    let mut administrator = PgConnection::connect(&cluster.url("commerce")).await.unwrap();
    let drop = "select pg_drop_replication_slot(slot_name) from pg_replication_slots";
    sqlx::raw_sql(drop).execute(&mut administrator).await.unwrap();
    day.carry_out(&["epoch", "commerce"]).await;
    connect::resume().await;
    day.recover().await;
    let mut truth = day.load_after(kept).end().await;
    // what was made after the backup never was
    truth.ever.extend(lost.ever);
    day.read_to_the_end(&COMPARED).await;
    for consumer in COMPARED {
        day.repair(consumer).await;
        let (code, said) = day.ask(&["reconcile", consumer]).await;
        assert_eq!(code, 0, "{consumer} is not what its source is: {said}");
    }
    day.end_with(&COMPARED, &truth).await;
    worker.kill().await;

    connect::forget_offsets().await;
    let (code, said) = Process::run(&["connectors", "apply", "commerce"], &[]).await;
    assert_eq!(code, 0, "{said}");
    connect::resume().await;
}
