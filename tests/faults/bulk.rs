//! Very many changes at once, and very many of one row.

use backbone::source;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::day::{ALL, Day, INVENTORY_DEFAULTS, MERCHANT_TAX, SEARCH_SYNC};
use crate::statement;
use crate::truth::{Change, Merchant, Truth};

/// The most that a process ever held, in MiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn merchant(random: &mut StdRng) -> Merchant {
    let name = format!("Quán {}", random.random_range(0..1_000_000));
    Merchant { name, tax_name: None, tax_address: None, is_gone: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_transaction_of_very_many_rows_in_bounded_memory() {
    let mut day = Day::begin(18, "one transaction of 1,000,000 rows (a twentieth in the short pass)").await;
    let mut random = StdRng::seed_from_u64(day.seed);
    let rows = if day.is_long() { 1_000_000 } else { 50_000 };
    let worker = day.worker(&[MERCHANT_TAX, INVENTORY_DEFAULTS]);
    let mut truth = Truth::default();
    let mut transaction = day.commerce.begin().await.unwrap();
    for _ in 0..rows / 10_000 {
        let some: Vec<_> = (0..10_000).map(|_| (source::id(), merchant(&mut random))).collect();
        statement::insert_merchants(&mut transaction, &some).await;
        for (id, row) in some {
            truth.apply(Change::Merchant(id, row));
        }
    }
    transaction.commit().await.unwrap();
    day.recover().await;
    let peak = peak(worker.id());
    println!("{rows} rows in one transaction: {peak} MiB at the most");
    day.end_with(&[MERCHANT_TAX, INVENTORY_DEFAULTS], &truth).await;
    // two consumers, each with a budget of 30 MiB of changes, in a build with debug information
    assert!(peak < 250, "{peak} MiB");
    worker.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hot_key_among_others() {
    let mut day = Day::begin(19, "one hot key").await;
    let mut random = StdRng::seed_from_u64(day.seed);
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    let hot = source::id();
    source::insert(&day.commerce, hot, "Quán đông khách", None).await;
    let mut last = merchant(&mut random);
    for _ in 0..day.events {
        last = merchant(&mut random);
        let mut transaction = day.commerce.begin().await.unwrap();
        statement::write_merchants(&mut transaction, &[(hot, last.clone())]).await;
        transaction.commit().await.unwrap();
    }
    day.recover().await;
    let mut truth = load.end().await;
    truth.apply(Change::Merchant(hot, last));
    truth.events += day.events;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_beside_live_traffic() {
    let mut day = Day::begin(21, "a replay while live traffic runs").await;
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let began = time::OffsetDateTime::now_utc();
    let load = day.load();
    day.ready().await;
    let from = began.format(&time::format_description::well_known::Rfc3339).unwrap();
    // a replay waits while the live group falls behind, so that all four take their time
    let replayed = if day.is_long() { &ALL[..] } else { &[MERCHANT_TAX, SEARCH_SYNC] };
    for consumer in replayed {
        let planned = day.sluice(&["replay", "plan", consumer, "--from", &from, "--json"]).await;
        let plan: serde_json::Value = serde_json::from_str(planned.lines().last().unwrap()).unwrap();
        let token = plan["token"].as_str().unwrap();
        // compared with the source in the evening, when other days' merchants are left out
        let said = day.sluice(&["replay", "run", token, "--reason", "a bad day", "--no-check", "--json"]).await;
        let report: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert!(report["chosen"].as_u64().unwrap() > 0, "{said}");
    }
    day.recover().await;
    let truth = load.end().await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}
