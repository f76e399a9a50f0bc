//! Topics that lose records to retention, are deleted and made again, or get more partitions.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, TopicPartitionList};

use crate::day::{ALL, Back, Day, INVENTORY_DEFAULTS, MERCHANT, MERCHANT_TAX, SEARCH_SYNC, VARIANT, setting};

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", setting("APP_ENV_KAFKA_BROKERS")).create().unwrap()
}

fn patient() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)))
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_retention_took_unread_halt_and_are_read_from_the_source_again() {
    let mut day = Day::begin(13, "offset out of range after retention").await;
    let worker = day.worker(&ALL);
    let load = day.load();
    load.more(day.events / 3).await;
    worker.kill().await;
    let truth = load.end().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let groups = day.groups.clone();
    let ends = tokio::task::spawn_blocking(move || groups.ends()).await.unwrap();
    let mut expired = TopicPartitionList::new();
    for end in ends.elements_for_topic(MERCHANT) {
        expired.add_partition_offset(MERCHANT, end.partition(), end.offset()).unwrap();
    }
    admin().delete_records(&expired, &patient()).await.unwrap();
    let worker = day.worker(&ALL);
    // what is lost is read again from the source, and every partition goes on at the first record that there is
    day.sluice(&["connectors", "snapshot", "commerce.merchant"]).await;
    let reasons = day.rewind_halted(&ALL, MERCHANT, Back::First).await;
    assert!(reasons.iter().all(|reason| reason.contains("no longer retained")), "{reasons:#?}");
    day.recover().await;
    // a footer of a merchant that is gone for good is dropped by nothing but its time to live
    let compared = [MERCHANT_TAX, INVENTORY_DEFAULTS, SEARCH_SYNC];
    day.read_to_the_end(&ALL).await;
    for consumer in compared {
        day.repair(consumer).await;
    }
    day.end_with(&compared, &truth).await;
    worker.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_and_made_again_it_halts_and_begins_with_a_snapshot() {
    let mut day = Day::begin(14, "topic deleted and recreated").await;
    let worker = day.worker(&ALL);
    let load = day.load();
    load.more(day.events / 3).await;
    day.sluice(&["connectors", "pause", "commerce"]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    day.read_to_the_end(&ALL).await;
    admin().delete_topics(&[MERCHANT], &patient()).await.unwrap().into_iter().for_each(|done| drop(done.unwrap()));
    tokio::time::sleep(Duration::from_secs(2)).await;
    day.sluice(&["connectors", "apply", "commerce"]).await;
    day.sluice(&["connectors", "resume", "commerce"]).await;
    // this day's rows: what other days made is in none of its targets
    day.sluice(&["connectors", "snapshot", "commerce.merchant", "--where", &format!("id >= {}", day.first_id)]).await;
    day.rewind_halted(&ALL, MERCHANT, Back::First).await;
    day.recover().await;
    let truth = load.end().await;
    day.end(&truth).await;
    worker.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_added_keys_move_and_keep_their_order() {
    let mut day = Day::begin(14, "partitions added").await;
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    load.more(day.events / 3).await;
    for (topic, more) in [(MERCHANT, 2), (VARIANT, 1)] {
        let added = NewPartitions::new(topic, day.partitions(topic).await + more);
        admin().create_partitions(&[added], &patient()).await.unwrap().into_iter().for_each(|done| drop(done.unwrap()));
    }
    // a producer sees them within five minutes by itself; a restart is how an operator makes it now
    day.sluice(&["connectors", "restart", "commerce"]).await;
    load.more(day.events / 3).await;
    for worker in workers {
        worker.terminate().await;
    }
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    day.recover().await;
    let truth = load.end().await;
    day.release_what_came_too_early().await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}
