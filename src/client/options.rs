//! How to reach a server: its address, TLS, credentials and deadlines.

use std::{
    error::Error,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time;
use tokio_rustls::rustls;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{self, Certificate, Channel, ClientTlsConfig, Identity, Uri},
};

use crate::endpoint::Endpoint;

use super::{
    Client,
    file_backed::{FileBacked, Files},
};

/// The default deadline of a call.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection may be silent before it is pinged, also while it has no call.
/// Together with the timeout it is shorter than the default deadline.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How long the answer to a ping may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address of the server.
    pub endpoint: Endpoint,
    /// The TLS settings; `None` connects without TLS.
    pub tls: Option<Tls>,
    /// A file with the bearer token to send with every call. It is read again when it
    /// changes.
    pub token_file: Option<PathBuf>,
    /// How long a call may take, with its retries.
    pub deadline: Duration,
    /// The user agent that the server records, such as `billing/1.2`.
    pub user_agent: String,
}

/// TLS settings. The files are read again when they change; open connections keep the
/// settings that they started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The trusted certificate authorities, in PEM; `None` trusts those of the system.
    pub ca: Option<PathBuf>,
    /// The client certificate and its private key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate must have; `None` expects the host of the
    /// endpoint.
    pub server_name: Option<String>,
}

/// The client could not be set up or connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file cannot be read.
    #[error("cannot read {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file does not contain a token.
    #[error("{} does not contain a token: expected one line of visible ASCII", .0.display())]
    Token(PathBuf),
    /// The token would cross the network unencrypted.
    #[error("a token is sent only over TLS, to this machine, or through a Unix socket")]
    PlaintextToken,
    /// A Unix socket does not leave the machine, so it has no TLS.
    #[error("TLS is not supported on Unix sockets")]
    TlsOnUnixSocket,
    /// The certificates, the key, the user agent or the address are invalid.
    #[error("cannot set up the connection")]
    Setup(#[source] transport::Error),
    /// A server answers, but without TLS, or with a certificate that is not trusted.
    #[error("{endpoint} answers, but the TLS handshake fails ({cause})")]
    Tls {
        /// The endpoint.
        endpoint: Endpoint,
        /// The innermost cause.
        cause: String,
    },
    /// No server answers, or the answer is not HTTP/2.
    #[error("no server answers on {endpoint} ({cause})")]
    Unreachable {
        /// The endpoint.
        endpoint: Endpoint,
        /// The innermost cause.
        cause: String,
    },
}

impl Options {
    /// Options to connect to `endpoint` without TLS or a token, with a deadline of 30
    /// seconds for each call.
    #[must_use]
    pub fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: None,
            token_file: None,
            deadline: DEFAULT_DEADLINE,
            user_agent: concat!("userpool/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let files = self.tls_files();
        let connecting = self.transport()?;
        let (cause, is_tls) = match time::timeout(self.deadline, connecting.connect()).await {
            Ok(Ok(channel)) => return self.client(files, channel),
            Ok(Err(error)) => {
                let cause = innermost(&error);
                (cause.to_string(), is_tls_error(cause))
            }
            Err(elapsed) => (elapsed.to_string(), false),
        };
        let endpoint = self.endpoint;
        Err(if is_tls {
            ConnectError::Tls { endpoint, cause }
        } else {
            ConnectError::Unreachable { endpoint, cause }
        })
    }

    /// Returns a client that connects on its first call, for programs that may start
    /// before the server. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// Any [`ConnectError`] but [`ConnectError::Unreachable`] and [`ConnectError::Tls`].
    pub fn connect_lazy(self) -> Result<Client, ConnectError> {
        let files = self.tls_files();
        let channel = self.transport()?.connect_lazy();
        self.client(files, channel)
    }

    fn client(self, files: Files, channel: Channel) -> Result<Client, ConnectError> {
        let token = match &self.token_file {
            Some(file) => {
                let files = Files::at(vec![file.clone()]);
                Some(FileBacked::new(files, token(file)?))
            }
            None => None,
        };
        let deadline = self.deadline;
        let channel = FileBacked::new(files, channel);
        Ok(Client::new(Transport { options: self, channel, token }, deadline))
    }

    fn tls_files(&self) -> Files {
        Files::at(self.tls.iter().flat_map(Tls::files).collect())
    }

    fn transport(&self) -> Result<transport::Endpoint, ConnectError> {
        if self.token_file.is_some() && self.tls.is_none() && !is_local(&self.endpoint) {
            return Err(ConnectError::PlaintextToken);
        }
        let address = match (&self.endpoint, &self.tls) {
            (Endpoint::Tcp(address), None) => format!("http://{address}"),
            (Endpoint::Tcp(address), Some(_)) => format!("https://{address}"),
            (Endpoint::Unix(path), None) => format!("unix:{}", path.display()),
            (Endpoint::Unix(_), Some(_)) => return Err(ConnectError::TlsOnUnixSocket),
        };
        let mut transport = transport::Endpoint::from_shared(address)
            .and_then(|transport| transport.user_agent(self.user_agent.as_str()))
            .map_err(ConnectError::Setup)?
            .connect_timeout(self.deadline)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        if let Endpoint::Unix(_) = self.endpoint {
            // Servers refuse a path as the authority.
            transport = transport.origin(Uri::from_static("http://localhost"));
        }
        match &self.tls {
            Some(tls) => transport.tls_config(tls.read()?).map_err(ConnectError::Setup),
            None => Ok(transport),
        }
    }
}

impl Tls {
    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.ca.iter().chain(identity).cloned()
    }

    fn read(&self) -> Result<ClientTlsConfig, ConnectError> {
        let mut tls = match &self.ca {
            Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        if let Some((certificate, key)) = &self.identity {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(match &self.server_name {
            Some(name) => tls.domain_name(name),
            None => tls,
        })
    }
}

/// The connection, and the credentials that every call sends.
#[derive(Debug)]
pub(super) struct Transport {
    options: Options,
    channel: FileBacked<Channel>,
    token: Option<FileBacked<MetadataValue<Ascii>>>,
}

impl Transport {
    /// Returns the connection: a new one if the TLS files changed.
    pub(super) fn channel(&self) -> Channel {
        self.channel.current(|| Ok(self.options.transport()?.connect_lazy()))
    }

    /// Returns a request with the message and the token.
    pub(super) fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        if let (Some(value), Some(file)) = (&self.token, &self.options.token_file) {
            request.metadata_mut().insert("authorization", value.current(|| token(file)));
        }
        request
    }
}

fn token(file: &Path) -> Result<MetadataValue<Ascii>, ConnectError> {
    let text = read(file)?;
    let token = text.trim_ascii();
    let invalid = || ConnectError::Token(file.to_owned());
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err(invalid());
    }
    let value = [b"Bearer ", token].concat();
    let mut value: MetadataValue<Ascii> = value.as_slice().try_into().map_err(|_| invalid())?;
    // Debug output of requests hides it.
    value.set_sensitive(true);
    Ok(value)
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|source| ConnectError::File { path: path.to_owned(), source })
}

/// Whether the endpoint is on this machine.
fn is_local(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Unix(_) => true,
        Endpoint::Tcp(address) => {
            let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let address: Result<IpAddr, _> = host.parse();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
    }
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// Whether TLS failed. Its error is inside an I/O error that does not name it as its source.
fn is_tls_error(innermost: &(dyn Error + 'static)) -> bool {
    let inner = innermost.downcast_ref().and_then(io::Error::get_ref);
    matches!(inner, Some(inner) if inner.is::<rustls::Error>())
}
