//! Workers that lose their partitions, are told to go, or whose group loses its coordinator.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rdkafka::mocking::MockCoordinator;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::crash::{committed, frontier};
use crate::day::{ALL, Day, MERCHANT_TAX, TOPICS};
use crate::relay::{Relay, Straight};

/// Longer than a member of the group may be silent.
const FROZEN: Duration = Duration::from_secs(9);

async fn zombie(fault: &'static str, strategy: &str) {
    let mut day = Day::begin(3, fault).await;
    day.set("APP_ENV_KAFKA_ASSIGNMENT", strategy);
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    load.more(day.events / 5).await;
    for round in 0..day.rounds(1) {
        let frozen = &workers[usize::try_from(round % 2).unwrap()];
        // in the middle of whatever it applies; its partitions move, and then it goes on
        frozen.signal("STOP").await;
        tokio::time::sleep(FROZEN).await;
        frozen.signal("CONT").await;
        day.recover().await;
    }
    let truth = load.end().await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_finishes_late_in_a_cooperative_group() {
    zombie("rebalance in mid-batch, a zombie finishes late (cooperative)", "cooperative-sticky").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_finishes_late_in_an_eager_group() {
    zombie("rebalance in mid-batch, a zombie finishes late (eager)", "range").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_go_under_load_it_finishes_and_commits_in_time() {
    let mut day = Day::begin(20, "SIGTERM under load").await;
    let mut worker = day.worker(&ALL);
    // one that is told to go before it listens is killed, and has nothing to finish
    day.ready().await;
    let load = day.load();
    for _ in 0..day.rounds(2) {
        load.more(day.events / 3).await;
        let (code, took) = worker.terminate().await;
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(15), "a deadline of 10 s to drain, and it took {took:?}");
        let (applied, committed) = (frontier(&day).await, committed(&day, MERCHANT_TAX).await);
        for (partition, next) in applied {
            assert_eq!(committed[&partition], next, "what was applied of partition {partition} was not committed");
        }
        worker = day.worker(&ALL);
        day.recover().await;
    }
    let truth = load.end().await;
    day.end(&truth).await;
    worker.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_and_coordinators_move_and_commits_are_refused() {
    let relay = Relay::start(4, Straight).await;
    let mut day = Day::behind(13, "leader change, coordinator lost, commit refused", &relay).await;
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    let mut random = StdRng::seed_from_u64(day.seed);
    let refusals = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    ];
    for _ in 0..day.rounds(8) {
        let cluster = &relay.cluster;
        let broker = random.random_range(1..=3);
        match random.random_range(0..4) {
            0 => {
                for topic in TOPICS {
                    cluster.partition_leader(topic, random.random_range(0..4), Some(broker)).unwrap();
                }
            }
            1 => {
                let group = day.group(ALL[random.random_range(0..ALL.len())]).to_owned();
                cluster.coordinator(MockCoordinator::Group(group), broker).unwrap();
            }
            2 => {
                let refused: Vec<_> = (0..3).map(|_| refusals[random.random_range(0..refusals.len())]).collect();
                cluster.request_errors(RDKafkaApiKey::OffsetCommit, &refused);
            }
            _ => {
                cluster.broker_down(broker).unwrap();
                tokio::time::sleep(Duration::from_millis(random.random_range(100..1_500))).await;
                cluster.broker_up(broker).unwrap();
            }
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(100..800))).await;
    }
    relay.cluster.clear_request_errors(RDKafkaApiKey::OffsetCommit);
    day.recover().await;
    let truth = load.end().await;
    let _cluster = relay.end(&day).await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}
