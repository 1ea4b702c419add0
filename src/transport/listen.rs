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

use crate::{auth::PeerAddress, endpoint::Endpoint, fs::parent_directory};

use super::connection::Socket;

/// How long to wait after a failed accept. Without free file descriptors, accepting
/// again at once would spin.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many file descriptors are reserved for other uses than connections: the tables of the read
/// model take up to 128 of them. Without a free descriptor the log cannot be written, which stops
/// the server.
const RESERVED_DESCRIPTORS: u64 = 200;

/// Where a listener can be reached from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// From other machines.
    Network,
    /// From this machine only.
    Machine,
    /// Through the file system.
    File,
}

impl Reach {
    fn of(address: SocketAddr) -> Self {
        let loopback = address.ip().to_canonical().is_loopback();
        if loopback { Self::Machine } else { Self::Network }
    }
}

/// Checks an endpoint without binding it. Returns where it could be reached from.
pub(crate) async fn check(endpoint: &Endpoint) -> io::Result<Reach> {
    match endpoint {
        Endpoint::Tcp(address) => {
            let mut reaches = lookup_host(address).await?.map(Reach::of);
            let exposed = reaches.any(|reach| reach == Reach::Network);
            Ok(if exposed { Reach::Network } else { Reach::Machine })
        }
        Endpoint::Unix(path) => {
            parent_directory(path).metadata()?;
            Ok(Reach::File)
        }
    }
}

/// A bound endpoint.
#[derive(Debug)]
pub enum Listener {
    /// A TCP listener and its address.
    Tcp(TcpListener, SocketAddr),
    /// A Unix listener and its file.
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket; removed on drop, because the system does not.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "cannot remove the socket");
        }
    }
}

impl Listener {
    /// Binds the endpoint.
    ///
    /// # Errors
    /// The endpoint is in use, forbidden, or does not exist.
    pub async fn bind(endpoint: &Endpoint) -> io::Result<Self> {
        match endpoint {
            Endpoint::Tcp(address) => {
                let addresses: Vec<_> = lookup_host(address).await?.collect();
                let listener = TcpListener::bind(addresses.as_slice()).await?;
                let address = listener.local_addr()?;
                Ok(Self::Tcp(listener, address))
            }
            Endpoint::Unix(path) => {
                remove_stale_socket(path)?;
                Ok(Self::Unix(UnixListener::bind(path)?, SocketFile(path.clone())))
            }
        }
    }

    /// The endpoint, with the port that it is bound to.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        match self {
            Self::Tcp(_, address) => Endpoint::Tcp(address.to_string()),
            Self::Unix(_, file) => Endpoint::Unix(file.0.clone()),
        }
    }

    /// Where it can be reached from.
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Tcp(_, address) => Reach::of(*address),
            Self::Unix(..) => Reach::File,
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<(AcceptedSocket, PeerAddress)> {
        match self {
            Self::Tcp(listener, _) => {
                let (socket, address) = listener.accept().await?;
                // Responses are small and must not wait for more data.
                socket.set_nodelay(true)?;
                Ok((AcceptedSocket::Tcp(socket), PeerAddress::Tcp(address)))
            }
            Self::Unix(listener, _) => {
                let (socket, _) = listener.accept().await?;
                let process = socket.peer_cred().ok();
                Ok((AcceptedSocket::Unix(socket), PeerAddress::Unix(process)))
            }
        }
    }
}

/// An accepted socket, before the TLS handshake.
pub(crate) enum AcceptedSocket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AcceptedSocket {
    /// The socket without TLS.
    pub(crate) fn into_socket(self) -> Box<dyn Socket> {
        match self {
            Self::Tcp(socket) => Box::new(socket),
            Self::Unix(socket) => Box::new(socket),
        }
    }
}

/// The lower of the configured number of connections and the number that the file
/// descriptor limit of the process allows.
pub(super) fn limit_connections(configured: usize) -> usize {
    let Some(descriptors) = getrlimit(Resource::Nofile).current else { return configured };
    let allowed = descriptors.saturating_sub(RESERVED_DESCRIPTORS).max(1);
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    if allowed < configured {
        tracing::warn!(configured, allowed, "ulimit -n allows fewer connections");
    }
    configured.min(allowed)
}

/// Removes a socket file on which no process listens, left by a killed process.
fn remove_stale_socket(path: &Path) -> io::Result<()> {
    // Connecting to any other file fails with the same error.
    if !path.symlink_metadata().is_ok_and(|file| file.file_type().is_socket()) {
        return Ok(());
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        // The socket is in use or was removed: binding reports it.
        Ok(_) | Err(_) => Ok(()),
    }
}
