//! Requests over kept-alive connections: each connection sends its next request when it has the answer to the one before.
//!
//! Bytes are written and read here, without an HTTP client, because this side takes its time from the same cores as the
//! service: a request is a prepared text in which only a number changes, and of an answer only the status and the
//! length are looked at. One thread serves all connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What stands in a request for the number, which is new in each.
pub(crate) const NUMBER: &str = "##########";

/// A request of which only the number changes.
#[derive(Clone)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    numbers: Vec<usize>,
}

impl Request {
    /// A `POST` of JSON; `headers` are whole lines.
    pub(crate) fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        let numbers = text.match_indices(NUMBER).map(|(at, _)| at).collect();
        Self { bytes: text.into_bytes(), numbers }
    }

    fn number(&mut self, number: u64) {
        let digits = format!("{number:010}");
        for at in &self.numbers {
            self.bytes[*at..at + NUMBER.len()].copy_from_slice(&digits.as_bytes()[..NUMBER.len()]);
        }
    }
}

/// What came of a load.
pub(crate) struct Answered {
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// How long each answer took, in milliseconds, sorted.
    pub(crate) milliseconds: Vec<f64>,
}

/// Sends these requests, one connection each, over and over for so long. Every answer must be 201; the first that is not
/// ends it with an error. `numbers` gives every request its own.
pub(crate) async fn run(
    address: SocketAddr,
    requests: Vec<Request>,
    numbers: Arc<AtomicU64>,
    lasting: Duration,
) -> anyhow::Result<Answered> {
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let connecting = requests.into_iter().map(|request| Connection::open(address, request));
            let connections = futures::future::try_join_all(connecting).await?;
            let began = Instant::now();
            let end = began + lasting;
            let posting = connections.into_iter().map(|connection| connection.post_until(end, &numbers));
            let each = futures::future::try_join_all(posting).await?;
            let elapsed = began.elapsed();
            let mut milliseconds: Vec<f64> = each.into_iter().flatten().collect();
            milliseconds.sort_by(f64::total_cmp);
            Ok(Answered { elapsed, milliseconds })
        })
    })
    .await?
}

struct Connection {
    stream: TcpStream,
    request: Request,
    received: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr, request: Request) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request, received: Vec::with_capacity(8_192) })
    }

    async fn post_until(mut self, end: Instant, numbers: &AtomicU64) -> anyhow::Result<Vec<f64>> {
        let mut milliseconds = Vec::new();
        loop {
            let began = Instant::now();
            if began >= end {
                return Ok(milliseconds);
            }
            self.request.number(numbers.fetch_add(1, Ordering::Relaxed));
            self.post().await?;
            milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }

    async fn post(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&self.request.bytes).await?;
        self.received.clear();
        let whole = loop {
            let read = self.stream.read_buf(&mut self.received).await?;
            anyhow::ensure!(read > 0, "the service closed a connection in the middle of an answer");
            if let Some(whole) = length(&self.received)? {
                break whole;
            }
        };
        while self.received.len() < whole {
            let read = self.stream.read_buf(&mut self.received).await?;
            anyhow::ensure!(read > 0, "the service closed a connection in the middle of an answer");
        }
        if !self.received.starts_with(b"HTTP/1.1 201 ") {
            bail!("an answer that is not 201: {}", String::from_utf8_lossy(&self.received));
        }
        Ok(())
    }
}

/// How long an answer is with its head, once the head is there.
fn length(received: &[u8]) -> anyhow::Result<Option<usize>> {
    const NAME: &[u8] = b"content-length:";
    let Some(head) = received.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let lines = received[..head].split(|byte| *byte == b'\n');
    let value = lines
        .filter(|line| line.len() > NAME.len())
        .find_map(|line| line[..NAME.len()].eq_ignore_ascii_case(NAME).then(|| &line[NAME.len()..]))
        .context("an answer without a length")?;
    Ok(Some(head + 4 + std::str::from_utf8(value)?.trim().parse::<usize>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_takes_every_place_that_was_kept_for_it() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let mut request = Request::post(address, "/", "key: ##########\r\n", "{\"sku\": \"##########\"}");
        request.number(42);
        let text = String::from_utf8(request.bytes).unwrap();
        assert!(text.contains("key: 0000000042\r\n") && text.ends_with("\r\n\r\n{\"sku\": \"0000000042\"}"), "{text}");
        assert!(text.contains("content-length: 21\r\n"), "{text}");
    }

    #[test]
    fn the_length_of_an_answer_is_known_once_its_head_is_there() {
        assert_eq!(length(b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n").unwrap(), None);
        assert_eq!(length(b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nab").unwrap(), Some(48));
        assert!(length(b"HTTP/1.1 201 Created\r\n\r\n").is_err());
    }
}
