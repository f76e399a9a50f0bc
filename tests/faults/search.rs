//! A search engine that is slow, refuses, refuses one document of many, or answers too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::day::{ALL, Day, SEARCH_SYNC, setting};

/// The longest that search-sync waits for one answer here.
const TIMEOUT_MS: u64 = 2_000;

/// How the engine behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mood {
    Well,
    Slow,
    /// 503 to everything.
    Overloaded,
    /// Does what it is asked, and answers when nobody listens any more.
    Late,
    /// Refuses the seventh document of an import, once.
    Choosy,
}

/// The real engine, in a mood.
#[derive(Clone)]
struct Moody {
    mood: Arc<AtomicU8>,
    /// How often the mood was felt.
    felt: Arc<AtomicU64>,
    client: reqwest::Client,
}

impl Moody {
    async fn start() -> (Self, String) {
        let moody = Self { mood: Arc::default(), felt: Arc::default(), client: reqwest::Client::new() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answer = async |State(moody): State<Self>, request: Request| moody.answer(request).await;
        let router = Router::new().fallback(answer).with_state(moody.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (moody, address)
    }

    fn fall(&self, mood: Mood) {
        self.felt.store(0, Ordering::SeqCst);
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    /// Waits until the mood was felt a few times.
    async fn until_felt(&self, times: u64) {
        for _ in 0..600 {
            if self.felt.load(Ordering::SeqCst) >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("nobody asked the engine");
    }

    async fn answer(&self, request: Request) -> Response {
        let mood = self.mood.load(Ordering::SeqCst);
        self.felt.fetch_add(1, Ordering::SeqCst);
        if mood == Mood::Slow as u8 {
            tokio::time::sleep(Duration::from_millis(TIMEOUT_MS / 2)).await;
        }
        if mood == Mood::Overloaded as u8 {
            return (StatusCode::SERVICE_UNAVAILABLE, r#"{"message":"Not Ready or Lagging"}"#).into_response();
        }
        let (parts, body) = request.into_parts();
        let mut body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        let is_import = parts.uri.path().ends_with("/documents/import");
        let refused = if mood == Mood::Choosy as u8 && is_import { take_line(&mut body, 6) } else { None };
        if refused.is_some() {
            self.mood.store(Mood::Well as u8, Ordering::SeqCst);
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", setting("APP_ENV_TYPESENSE_URL").trim_end_matches('/'));
        let mut asked = self.client.request(parts.method, url).body(body);
        for (name, value) in
            parts.headers.iter().filter(|(name, _)| **name != header::HOST && **name != header::CONTENT_LENGTH)
        {
            asked = asked.header(name, value);
        }
        let answer = asked.send().await.unwrap();
        let status = answer.status();
        let mut said = answer.text().await.unwrap();
        if mood == Mood::Late as u8 {
            tokio::time::sleep(Duration::from_millis(TIMEOUT_MS * 2)).await;
        }
        if let Some(document) = refused {
            said = with_refusal(&said, 6, &document);
        }
        (status, Body::from(said)).into_response()
    }
}

/// Takes one line out of an import, where there are so many.
fn take_line(body: &mut Vec<u8>, place: usize) -> Option<String> {
    let text = String::from_utf8(body.clone()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.len() <= place {
        return None;
    }
    let taken = lines.remove(place).to_owned();
    *body = (lines.join("\n") + "\n").into_bytes();
    Some(taken)
}

/// The engine's answer with one more line, as it refuses a document.
fn with_refusal(said: &str, place: usize, document: &str) -> String {
    let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
    let refusal = serde_json::json!({
        "success": false, "code": 400, "error": "Field `name` must be a string.", "document": document,
    });
    lines.insert(place, refusal.to_string());
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_overloaded_choosy_and_late_after_it_applied() {
    let mut day = Day::begin(11, "target slow, 503, refusing line 7 of many, timing out after it applied").await;
    let (engine, address) = Moody::start().await;
    day.set("APP_ENV_TYPESENSE_URL", &address);
    day.set("APP_ENV_TYPESENSE_TIMEOUT_MS", TIMEOUT_MS.to_string());
    let worker = day.worker(&ALL);
    let load = day.load();
    day.ready().await;
    for _ in 0..day.rounds(1) {
        for mood in [Mood::Slow, Mood::Overloaded, Mood::Late] {
            load.more(day.events / 6).await;
            engine.fall(mood);
            engine.until_felt(3).await;
            load.more(day.events / 6).await;
            engine.fall(Mood::Well);
        }
        day.recover().await;
    }
    engine.fall(Mood::Choosy);
    let truth = load.end().await;
    day.read_to_the_end(&ALL).await;
    engine.fall(Mood::Well);
    let parked = day.parked(SEARCH_SYNC).await;
    println!("{parked} changes asked for the document that was refused");
    day.release_everything(&[SEARCH_SYNC]).await;
    day.end(&truth).await;
    worker.kill().await;
}
