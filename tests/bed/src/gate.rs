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
    weather: Arc<Weather>,
    forwarding: Option<Forwarding>,
    /// Bound to the gate's port and never listening: with the gate closed, nobody else gets the port and whoever
    /// connects is refused.
    _port: TcpSocket,
}

/// What happens to bytes on their way.
#[derive(Debug, Default)]
struct Weather {
    /// How long every piece of an answer waits.
    delay_ms: AtomicU64,
    /// How many more connections break off at a COMMIT.
    to_cut: AtomicU64,
    /// How many did.
    cut: AtomicU64,
}

impl Weather {
    /// Whether a connection that says this is to break off.
    fn cuts(&self, said: &[u8]) -> bool {
        const COMMIT: &[u8] = b"COMMIT\0";
        if !said.windows(COMMIT.len()).any(|piece| piece == COMMIT) {
            return false;
        }
        let one_less = |left: u64| left.checked_sub(1);
        let is_cut = self.to_cut.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok();
        self.cut.fetch_add(u64::from(is_cut), Ordering::Relaxed);
        is_cut
    }
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
            Self { server: server.to_owned(), address, weather: Arc::default(), forwarding: None, _port: port };
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
        let ended = tokio::spawn(forward(listener, self.server.clone(), self.weather.clone(), stopped));
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
        self.weather.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The next so many connections to Postgres that say COMMIT break off: the server carries it out, and the client never
    /// hears of it.
    pub fn cut_commits(&self, connections: u64) {
        self.weather.to_cut.store(connections, Ordering::Relaxed);
    }

    /// How many connections were broken off at a COMMIT.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.weather.cut.load(Ordering::Relaxed)
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
async fn forward(listener: TcpListener, server: String, weather: Arc<Weather>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(connect(client, server.clone(), weather.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// One connection, to its end. A server that does not answer resets the client.
async fn connect(mut client: TcpStream, server: String, weather: Arc<Weather>) {
    // when this task is dropped, the peer sees a reset as of a crashed server, not an orderly end
    if client.set_zero_linger().is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(&server).await else { return };
    client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).ok();
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(questions(from_client, to_server, &weather), answers(from_server, to_client, &weather)).ok();
}

/// The connection is to break off at once.
struct Cut;

/// Copies what the client says until it has no more to say, or the server is gone.
async fn questions(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    weather: &Weather,
) -> Result<(), Cut> {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut bytes).await {
        if length == 0 || to.write_all(&bytes[..length]).await.is_err() {
            break;
        }
        if weather.cuts(&bytes[..length]) {
            return Err(Cut);
        }
    }
    to.shutdown().await.ok();
    Ok(())
}

/// Copies what the server answers until it has no more to say, or the client is gone.
async fn answers(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    weather: &Weather,
) -> Result<(), Cut> {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut bytes).await {
        let delay = weather.delay_ms.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if length == 0 || to.write_all(&bytes[..length]).await.is_err() {
            break;
        }
    }
    to.shutdown().await.ok();
    Ok(())
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
