//! A registry that is away, slow or wrong, and one that was rebuilt under other numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::day::{ALL, Day, seed, setting};
use crate::relay::{BY_KEY, Passing, Relay, Twist};

/// Schema ids above this are those of the real registry, so many times this further up.
const STEP: u32 = 100_000_000;

/// How the registry behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mood {
    Well,
    Slow,
    Broken,
    /// It has lost its schemas: every id is unknown.
    Empty,
}

/// The real registry under other numbers, and in a mood.
struct Rebuilt {
    address: String,
    mood: Arc<AtomicU8>,
}

impl Rebuilt {
    async fn start() -> Self {
        let mood = Arc::new(AtomicU8::new(Mood::Well as u8));
        let answer = async |State(mood): State<Arc<AtomicU8>>, uri: Uri| answer(&mood, &uri).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(mood.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, mood }
    }

    fn fall(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }
}

async fn answer(mood: &AtomicU8, uri: &Uri) -> Response {
    let mood = mood.load(Ordering::SeqCst);
    if mood == Mood::Slow as u8 {
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    if mood == Mood::Broken as u8 {
        return (StatusCode::INTERNAL_SERVER_ERROR, "{}").into_response();
    }
    let (path, id) = uri.path().rsplit_once('/').unwrap();
    let Ok(id) = id.parse::<u32>() else { return StatusCode::NOT_FOUND.into_response() };
    if mood == Mood::Empty as u8 {
        let body = r#"{"error_code":40403,"message":"Schema not found"}"#;
        return (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let url = format!("{}{path}/{}{query}", setting("APP_ENV_SCHEMA_REGISTRY_URL"), id % STEP);
    let answer = reqwest::get(url).await.unwrap();
    let status = answer.status();
    (status, [(header::CONTENT_TYPE, "application/json")], answer.bytes().await.unwrap()).into_response()
}

/// Schema ids change again and again in mid-stream, and with the bytes of the keys their partitions.
struct Renumbered {
    random: StdRng,
    every: u32,
    step: u32,
}

impl Renumbered {
    fn every(every: u32) -> Self {
        Self { random: StdRng::seed_from_u64(seed()), every, step: 1 }
    }
}

impl Twist for Renumbered {
    fn take(&mut self, mut record: Passing, out: &mut Vec<Passing>) {
        if self.random.random_range(0..self.every) == 0 {
            self.step = self.step % 20 + 1;
        }
        for bytes in [&mut record.key, &mut record.value].into_iter().flatten() {
            let id = u32::from_be_bytes(bytes[1..5].try_into().unwrap());
            bytes[1..5].copy_from_slice(&(id + self.step * STEP).to_be_bytes());
        }
        record.partition = BY_KEY;
        out.push(record);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuilt_under_other_schema_ids_keys_move_to_other_partitions() {
    let registry = Rebuilt::start().await;
    let relay = Relay::start(5, Renumbered::every(500)).await;
    let mut day = Day::behind(23, "registry rebuilt with other schema ids", &relay).await;
    day.set("APP_ENV_SCHEMA_REGISTRY_URL", &registry.address);
    let workers = [day.worker(&ALL), day.worker(&ALL)];
    let load = day.load();
    load.more(day.events / 2).await;
    day.recover().await;
    let truth = load.end().await;
    let _cluster = relay.end(&day).await;
    day.release_what_came_too_early().await;
    day.end(&truth).await;
    for worker in workers {
        worker.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn away_slow_and_broken_the_registry_is_waited_for() {
    let registry = Rebuilt::start().await;
    let mut gate = bed::Gate::before(&registry.address);
    let relay = Relay::start(4, Renumbered::every(150)).await;
    let mut day = Day::behind(9, "registry down, slow, answering 500", &relay).await;
    day.set("APP_ENV_SCHEMA_REGISTRY_URL", gate.through(&registry.address));
    let worker = day.worker(&ALL);
    let load = day.load();
    for _ in 0..day.rounds(1) {
        for mood in [Mood::Slow, Mood::Broken] {
            registry.fall(mood);
            load.more(day.events / 5).await;
            registry.fall(Mood::Well);
        }
        gate.close().await;
        load.more(day.events / 5).await;
        gate.open();
        day.recover().await;
    }
    let truth = load.end().await;
    let _cluster = relay.end(&day).await;
    day.release_what_came_too_early().await;
    day.end(&truth).await;
    worker.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_lost_its_schemas_parks_what_came_and_it_is_released() {
    let registry = Rebuilt::start().await;
    let relay = Relay::start(4, Renumbered::every(150)).await;
    let mut day = Day::behind(9, "registry answering 404", &relay).await;
    day.set("APP_ENV_SCHEMA_REGISTRY_URL", &registry.address);
    let worker = day.worker(&ALL);
    let load = day.load();
    day.ready().await;
    registry.fall(Mood::Empty);
    load.more(day.events / 3).await;
    let began = Instant::now();
    while day.parked_by_all().await == 0 {
        assert!(began.elapsed() < day.patience(), "nothing was parked while the registry knew nothing");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    registry.fall(Mood::Well);
    let truth = load.end().await;
    let _cluster = relay.end(&day).await;
    // a topic that parks all that comes halts; what was parked waits for somebody who knows why
    let began = Instant::now();
    while !day.unread(&ALL).await.is_empty() {
        assert!(began.elapsed() < day.patience(), "not everything is read: {:#?}", day.unread(&ALL).await);
        for consumer in ALL {
            if !day.halted(consumer).await.is_empty() {
                day.carry_out(&["resume", consumer]).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    day.release_everything(&ALL).await;
    day.end(&truth).await;
    worker.kill().await;
}
