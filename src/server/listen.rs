//! Endpoints: TCP addresses and Unix sockets, and who is let in through them.

use std::{
    fmt, io,
    net::SocketAddr,
    os::unix::{fs::FileTypeExt as _, net::UnixStream as StdUnixStream},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures_util::{Stream, stream};
use rustix::process::{Resource, getrlimit};
use tokio::{
    net::{TcpListener, UnixListener, lookup_host},
    sync::{Semaphore, watch},
    time::{self, Instant},
};

use crate::{
    grpc::{Peer, Who},
    metrics::{Metrics, Refusal},
};

use super::connection::{Connection, Socket};

/// How long to wait after a failed accept: out of descriptors, an accept that is
/// tried again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often it is told that connections are refused, or cannot be accepted.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// How many descriptors are kept from connections: without one, the log cannot be
/// written, and that would end the service.
const OWN_DESCRIPTORS: u64 = 64;

/// Where a server listens: `HOST:PORT`, or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A host and a port; port 0 takes a free one.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A text that is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT (127.0.0.1:50051, [::1]:50051, localhost:0) or unix:PATH")]
pub struct EndpointError;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Some(path).filter(|path| !path.is_empty()).ok_or(EndpointError)?;
            return Ok(Self::Unix(path.into()));
        }
        let (host, port) = text.rsplit_once(':').ok_or(EndpointError)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let plain = !host.is_empty() && !host.contains(':');
        let port: Result<u16, _> = port.parse();
        if port.is_ok() && (bracketed || plain) {
            Ok(Self::Tcp(text.to_owned()))
        } else {
            Err(EndpointError)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Whether the endpoint could be bound, were it free.
pub(super) async fn check(endpoint: &Endpoint) -> io::Result<()> {
    match endpoint {
        Endpoint::Tcp(address) => lookup_host(address).await.map(|_| ()),
        Endpoint::Unix(path) => {
            let directory = path.parent().filter(|above| !above.as_os_str().is_empty());
            directory.map_or(Ok(()), |directory| directory.metadata().map(|_| ()))
        }
    }
}

/// A bound endpoint.
#[derive(Debug)]
pub enum Listener {
    /// A TCP address.
    Tcp(TcpListener, SocketAddr),
    /// A socket, whose file goes when the listener does.
    Unix(UnixListener, SocketFile),
}

/// The file of a socket. The system leaves it behind; dropping this removes it.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "the socket cannot be removed");
        }
    }
}

impl Listener {
    /// Binds the endpoint.
    ///
    /// # Errors
    /// It is in use, not allowed, or does not exist.
    pub async fn bind(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp(address) => {
                let addresses: Vec<_> = lookup_host(address).await?.collect();
                let listener = TcpListener::bind(addresses.as_slice()).await?;
                let address = listener.local_addr()?;
                Ok(Self::Tcp(listener, address))
            }
            Endpoint::Unix(path) => {
                remove_dead_socket(path)?;
                Ok(Self::Unix(UnixListener::bind(path)?, SocketFile(path.clone())))
            }
        }
    }

    /// The endpoint, with the port that was chosen.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Tcp(_, address) => Endpoint::Tcp(address.to_string()),
            Self::Unix(_, file) => Endpoint::Unix(file.0.clone()),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Socket>, Who)> {
        match self {
            Self::Tcp(listener, _) => {
                let (socket, address) = listener.accept().await?;
                // Answers are small and waited for.
                socket.set_nodelay(true)?;
                Ok((Box::new(socket), Who::Address(address)))
            }
            Self::Unix(listener, _) => {
                let (socket, _) = listener.accept().await?;
                let process = socket.peer_cred().ok();
                Ok((Box::new(socket), Who::Process(process)))
            }
        }
    }

    /// Every connection that there is room for; the others are closed at once, so
    /// that their clients try elsewhere instead of waiting here.
    pub(super) fn connections(
        self,
        room: Room,
        cut: watch::Receiver<bool>,
        metrics: Arc<Metrics>,
    ) -> impl Stream<Item = io::Result<Connection>> {
        let places = Arc::new(Semaphore::new(room.connections));
        let door = (self, Told::default());
        stream::unfold(door, move |(listener, mut told)| {
            let (places, cut) = (Arc::clone(&places), cut.clone());
            let metrics = Arc::clone(&metrics);
            async move {
                loop {
                    let (socket, who) = match listener.accept().await {
                        Ok(accepted) => accepted,
                        Err(error) if is_of_the_connection(&error) => continue,
                        Err(error) => {
                            told.tell(&format!("a connection cannot be accepted: {error}"));
                            time::sleep(ACCEPT_PAUSE).await;
                            continue;
                        }
                    };
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                        metrics.refused.count(Refusal::Connections);
                        told.tell("all connections are taken; more are refused");
                        continue;
                    };
                    let peer = Peer::new(who, None, room.watches_per_connection);
                    let connection =
                        Connection::new(socket, peer, (place, metrics.server.connection()), cut);
                    return Some((Ok(connection), (listener, told)));
                }
            }
        })
    }
}

/// How many connections there may be, and what each of them may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) connections: usize,
    pub(super) watches_per_connection: usize,
}

/// As many connections as are asked for, or as the descriptors of the process allow.
pub(super) fn connections_within_limits(asked: usize) -> usize {
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return asked };
    let allowed = descriptors.saturating_sub(OWN_DESCRIPTORS).max(1);
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    if allowed < asked {
        tracing::warn!(asked, allowed, "ulimit -n allows fewer connections");
    }
    asked.min(allowed)
}

/// The one connection failed before it was accepted; the next may be well.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NotConnected
            | io::ErrorKind::InvalidInput
    )
}

/// When trouble was last told. A flood of connections must not flood the log, too.
#[derive(Debug, Default)]
struct Told(Option<Instant>);

impl Told {
    fn tell(&mut self, trouble: &str) {
        if self.0.is_none_or(|last| last.elapsed() >= TELL_EVERY) {
            self.0 = Some(Instant::now());
            tracing::warn!("{trouble}");
        }
    }
}

/// A socket that nobody answers on was left behind by a process that was killed.
fn remove_dead_socket(path: &Path) -> io::Result<()> {
    // The system refuses a connection to any file in the same words.
    if !path.symlink_metadata().is_ok_and(|file| file.file_type().is_socket()) {
        return Ok(());
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        // In use, or gone: binding will say.
        Ok(_) | Err(_) => Ok(()),
    }
}
