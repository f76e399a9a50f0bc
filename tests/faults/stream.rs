//! What a stream may do and a consumer must bear: twice, late, between others, on another partition, with other schema ids.

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::day::{ALL, Day, seed};
use crate::relay::{ByKey, Passing, Relay, Twist};

/// Everything comes again, some records later: a batch that was delivered twice.
struct Twice {
    random: StdRng,
    batch: Vec<Passing>,
}

impl Twist for Twice {
    fn take(&mut self, record: Passing, out: &mut Vec<Passing>) {
        out.push(record.clone());
        self.batch.push(record);
        if self.random.random_range(0..100) == 0 {
            out.append(&mut self.batch);
        }
    }

    fn idle(&mut self, out: &mut Vec<Passing>) {
        out.append(&mut self.batch);
    }
}

/// Records of different keys change places, on a partition and between partitions; those of one key never do.
struct Shuffled {
    random: StdRng,
    window: Vec<Passing>,
}

impl Shuffled {
    fn release(&mut self, out: &mut Vec<Passing>) {
        let mut keys: ByKey<VecDeque<Passing>> = ByKey::new();
        let mut turns = Vec::new();
        for record in self.window.drain(..) {
            let key = (record.topic.clone(), record.key.clone());
            turns.push(key.clone());
            keys.entry(key).or_default().push_back(record);
        }
        turns.shuffle(&mut self.random);
        out.extend(turns.into_iter().filter_map(|key| keys.get_mut(&key).and_then(VecDeque::pop_front)));
    }
}

impl Twist for Shuffled {
    fn take(&mut self, record: Passing, out: &mut Vec<Passing>) {
        self.window.push(record);
        if self.window.len() >= 300 {
            self.release(out);
        }
    }

    fn idle(&mut self, out: &mut Vec<Passing>) {
        self.release(out);
    }
}

/// Between the new ones old records come again, from any time, in any order.
struct Old {
    random: StdRng,
    seen: Vec<Passing>,
}

impl Twist for Old {
    fn take(&mut self, record: Passing, out: &mut Vec<Passing>) {
        out.push(record.clone());
        self.seen.push(record);
        if self.random.random_range(0..4) == 0 {
            let old = self.random.random_range(0..self.seen.len());
            out.push(self.seen[old].clone());
        }
    }

    fn idle(&mut self, out: &mut Vec<Passing>) {
        let again = self.seen.len().min(200);
        for _ in 0..again / 20 {
            out.push(self.seen[self.random.random_range(0..self.seen.len())].clone());
        }
    }
}

async fn twisted(number: u32, fault: &'static str, twist: impl FnOnce(StdRng) -> Box<dyn Twist>) {
    let relay = Relay::start(4, twist(StdRng::seed_from_u64(seed()))).await;
    let mut day = Day::behind(number, fault, &relay).await;
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    load.more(day.events / 2).await;
    day.recover().await;
    let truth = load.end().await;
    let _cluster = relay.end(&day).await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_batch_delivered_twice() {
    twisted(4, "every batch delivered twice", |random| Box::new(Twice { random, batch: Vec::new() })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_different_keys_change_places() {
    twisted(5, "legal reorderings", |random| Box::new(Shuffled { random, window: Vec::new() })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_records_come_again_after_new_ones() {
    twisted(6, "old events replayed after new ones", |random| Box::new(Old { random, seen: Vec::new() })).await;
}
