//! Listeners on TCP addresses and Unix sockets.

use std::{
    io,
    net::SocketAddr,
    os::unix::{fs::FileTypeExt as _, net::UnixStream as StdUnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, lookup_host};

use crate::{auth::Who, endpoint::Endpoint};

use super::connection::Socket;

/// How long to wait after a failed accept: out of descriptors, an accept that is
/// tried again at once would spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many descriptors are kept from connections: without one, the log cannot be
/// written, and that would end the service.
const OWN_DESCRIPTORS: u64 = 64;

/// From where a listener can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// From other machines.
    Network,
    /// From this machine alone.
    Machine,
    /// By way of the file system.
    File,
}

impl Reach {
    fn of(address: SocketAddr) -> Self {
        let loopback = address.ip().to_canonical().is_loopback();
        if loopback { Self::Machine } else { Self::Network }
    }
}

/// Whether the endpoint could be bound, were it free, and from where it would be reached.
pub(crate) async fn check(endpoint: &Endpoint) -> io::Result<Reach> {
    match endpoint {
        Endpoint::Tcp(address) => {
            let mut reaches = lookup_host(address).await?.map(Reach::of);
            let exposed = reaches.any(|reach| reach == Reach::Network);
            Ok(if exposed { Reach::Network } else { Reach::Machine })
        }
        Endpoint::Unix(path) => {
            let directory = path.parent().filter(|above| !above.as_os_str().is_empty());
            directory.map_or(Ok(()), |directory| directory.metadata().map(|_| ()))?;
            Ok(Reach::File)
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

    /// From where it can be reached.
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Tcp(_, address) => Reach::of(*address),
            Self::Unix(..) => Reach::File,
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(Accepted, Who)> {
        match self {
            Self::Tcp(listener, _) => {
                let (socket, address) = listener.accept().await?;
                // Answers are small and waited for.
                socket.set_nodelay(true)?;
                Ok((Accepted::Tcp(socket), Who::Address(address)))
            }
            Self::Unix(listener, _) => {
                let (socket, _) = listener.accept().await?;
                let process = socket.peer_cred().ok();
                Ok((Accepted::Unix(socket), Who::Process(process)))
            }
        }
    }
}

/// A socket as it was accepted.
pub(crate) enum Accepted {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Accepted {
    /// Without TLS.
    pub(crate) fn plain(self) -> Box<dyn Socket> {
        match self {
            Self::Tcp(socket) => Box::new(socket),
            Self::Unix(socket) => Box::new(socket),
        }
    }
}

/// As many connections as are asked for, or as the descriptors of the process allow.
pub(crate) fn connections_within_limits(asked: usize) -> usize {
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return asked };
    let allowed = descriptors.saturating_sub(OWN_DESCRIPTORS).max(1);
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    if allowed < asked {
        tracing::warn!(asked, allowed, "ulimit -n allows fewer connections");
    }
    asked.min(allowed)
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
