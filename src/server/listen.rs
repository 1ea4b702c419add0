//! Endpoints: TCP addresses and Unix sockets.

use std::{
    fmt, io,
    net::SocketAddr,
    os::unix::{fs::FileTypeExt as _, net::UnixStream as StdUnixStream},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream, lookup_host},
    time,
};
use tokio_stream::Stream;
use tonic::transport::server::Router;
use tower::layer::util::{Identity, Stack};

use crate::grpc::RpcLayer;

/// How long to wait after a failed accept: out of descriptors, an accept that is
/// tried again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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

    /// Serves connections until `stop`, then until their calls are done.
    pub(super) async fn serve(
        self,
        server: Router<Stack<RpcLayer, Identity>>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error> {
        match self {
            Self::Tcp(listener, _) => {
                server.serve_with_incoming_shutdown(accept_tcp(listener), stop).await
            }
            Self::Unix(listener, file) => {
                let result = server.serve_with_incoming_shutdown(accept_unix(listener), stop).await;
                drop(file);
                result
            }
        }
    }
}

fn accept_tcp(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    futures_util::stream::unfold(listener, |listener| async {
        loop {
            match listener.accept().await {
                Ok((connection, _)) => {
                    // Answers are small and waited for.
                    return Some((connection.set_nodelay(true).map(|()| connection), listener));
                }
                Err(error) => pause(&error).await,
            }
        }
    })
}

fn accept_unix(listener: UnixListener) -> impl Stream<Item = io::Result<UnixStream>> {
    futures_util::stream::unfold(listener, |listener| async {
        loop {
            match listener.accept().await {
                Ok((connection, _)) => return Some((Ok(connection), listener)),
                Err(error) => pause(&error).await,
            }
        }
    })
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "a connection cannot be accepted");
    time::sleep(ACCEPT_PAUSE).await;
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
