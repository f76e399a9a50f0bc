//! A gate in front of a server that others use too: one test sees it down or slow, nobody else does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// Forwards TCP connections to a server while it is open. Begins open.
///
/// Its tasks run on the runtime of the test, and end with it. Before a database of the test's own the runtime must be
/// the multi-threaded one: the database is dropped by a thread that waits, and what is half connected must go on then.
#[derive(Debug)]
pub struct Gate {
    server: String,
    address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
    forwarding: Option<Forwarding>,
    /// Bound to the gate's port and never listening: with the gate closed, nobody else gets the port and whoever
    /// connects is refused.
    _port: TcpSocket,
}

#[derive(Debug)]
struct Forwarding {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Gate {
    /// A gate on a port of its own, to the server at `host:port`.
    ///
    /// # Panics
    /// When there is no port to be had.
    #[must_use]
    pub fn to(server: &str) -> Self {
        let port = socket(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = port.local_addr().expect("a bound socket has an address");
        let mut gate =
            Self { server: server.to_owned(), address, delay_ms: Arc::default(), forwarding: None, _port: port };
        gate.open();
        gate
    }

    /// A gate to the server that a URL names.
    ///
    /// # Panics
    /// When the URL names no port.
    #[must_use]
    pub fn before(url: &str) -> Self {
        let authority = authority(url);
        assert!(authority.contains(':'), "{authority} names no port");
        Self::to(authority)
    }

    /// Where it listens, `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The same URL, through the gate.
    #[must_use]
    pub fn through(&self, url: &str) -> String {
        url.replacen(authority(url), &self.address(), 1)
    }

    /// New connections are forwarded from now on.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn open(&mut self) {
        if self.forwarding.is_some() {
            return;
        }
        let listener = socket(self.address).listen(1024).expect("the gate listens on its own port");
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(forward(listener, self.server.clone(), self.delay_ms.clone(), stopped));
        self.forwarding = Some(Forwarding { stop, ended });
    }

    /// Resets every connection and refuses new ones; when it answers, nothing goes through any more.
    ///
    /// # Panics
    /// When forwarding panicked.
    pub async fn close(&mut self) {
        let Some(Forwarding { stop, ended }) = self.forwarding.take() else { return };
        drop(stop);
        ended.await.expect("forwarding ends when told");
    }

    /// Every piece of an answer waits this long before it goes on to the client, also on connections that are open.
    pub fn slow(&self, delay: Duration) {
        self.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// `host:port` of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// A socket that shares its port with others of this gate.
fn socket(address: SocketAddr) -> TcpSocket {
    let bound = TcpSocket::new_v4().and_then(|socket| {
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        Ok(socket)
    });
    bound.unwrap_or_else(|error| panic!("no gate on {address}: {error}"))
}

/// Forwards until `stopped`; then the listener is closed and what was connected is reset.
async fn forward(listener: TcpListener, server: String, delay_ms: Arc<AtomicU64>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(connect(client, server.clone(), delay_ms.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// One connection, to its end. A server that does not answer resets the client.
async fn connect(mut client: TcpStream, server: String, delay_ms: Arc<AtomicU64>) {
    // when this task is dropped, the peer sees a reset as of a crashed server, not an orderly end
    if client.set_zero_linger().is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(&server).await else { return };
    client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).ok();
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let questions = pipe(from_client, to_server, None);
    let answers = pipe(from_server, to_client, Some(&delay_ms));
    tokio::join!(questions, answers);
}

/// Copies until the sender has no more to say, or either side is gone.
async fn pipe(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay_ms: Option<&AtomicU64>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut bytes).await {
        let delay = delay_ms.map_or(0, |delay_ms| delay_ms.load(Ordering::Relaxed));
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if length == 0 || to.write_all(&bytes[..length]).await.is_err() {
            break;
        }
    }
    to.shutdown().await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_server() {
        for (url, server) in [
            ("postgres://role:p%40ss@127.0.0.1:5432/name?x=y", "127.0.0.1:5432"),
            ("http://localhost:8080", "localhost:8080"),
            ("127.0.0.1:9092", "127.0.0.1:9092"),
        ] {
            assert_eq!(authority(url), server);
        }
    }
}
