//! Where a server is, how it is known, how the client is known to it, and how long
//! it may take.

use std::{
    error::Error,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::Uri;
use tokio::time;
use tokio_rustls::rustls;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{self, Certificate, Channel, ClientTlsConfig, Identity},
};

use crate::{
    app::{Source, SystemSource},
    transport::Endpoint,
};

use super::{
    Client,
    kept::{Files, Kept},
};

/// How long a call may take where nobody says.
const DEADLINE: Duration = Duration::from_secs(30);
/// A connection over which nothing comes for this long is asked whether it is still
/// there, also while nobody calls; together with the time for the answer that is
/// shorter than a call may take.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// And this is how long the answer may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Whether the connection is made with TLS, and with what.
    pub tls: Option<Tls>,
    /// A file with the bearer token that every call has with it. It is read again
    /// when it changes.
    pub token_file: Option<PathBuf>,
    /// How long each call may take, with its retries.
    pub deadline: Duration,
    /// What the server records as the user agent, such as `billing/1.2`.
    pub user_agent: String,
    /// Where `request_id`s come from.
    pub source: Arc<dyn Source>,
}

/// How the two sides of a connection prove who they are. The files are read again
/// when they change; connections that are there go on with what they began with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates, in PEM, of those who may vouch for the server. Absent: those
    /// that the system trusts.
    pub ca: Option<PathBuf>,
    /// The client's own certificate and its key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate must have. Absent: the host of the
    /// endpoint.
    pub server_name: Option<String>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file cannot be read.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file has no token in it.
    #[error("{} has no token: one line of visible ASCII is expected", .0.display())]
    Token(PathBuf),
    /// Whoever listens on the way could use the token.
    #[error("a token is sent over TLS, to this machine or through a Unix socket, and no other way")]
    TokenInTheOpen,
    /// A Unix socket is of this machine already.
    #[error("TLS is not for Unix sockets")]
    TlsOnUnixSocket,
    /// The certificates, the key, the user agent or the address are of no use.
    #[error("the connection cannot be set up")]
    Setup(#[source] transport::Error),
    /// A server answers there, but without TLS, or with a certificate that is not believed.
    #[error("{endpoint} answers, but TLS with it fails ({cause})")]
    Tls {
        /// The endpoint.
        endpoint: Endpoint,
        /// What is wrong.
        cause: String,
    },
    /// No server answers there, or not as the client expects.
    #[error("no server answers on {endpoint} ({cause})")]
    Unreachable {
        /// The endpoint.
        endpoint: Endpoint,
        /// The innermost cause.
        cause: String,
    },
}

impl Options {
    /// To the server there, without TLS or a token, and with 30 seconds for each call.
    #[must_use]
    pub fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: None,
            token_file: None,
            deadline: DEADLINE,
            user_agent: concat!("userpool/", env!("CARGO_PKG_VERSION")).to_owned(),
            source: Arc::new(SystemSource),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// [`ConnectError`]; [`ConnectError::Unreachable`] where no server answers, and
    /// [`ConnectError::Tls`] where one is not believed.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let files = self.tls_files();
        let connecting = self.transport()?;
        let (cause, of_tls) = match time::timeout(self.deadline, connecting.connect()).await {
            Ok(Ok(channel)) => return self.client(files, channel),
            Ok(Err(error)) => {
                let cause = innermost(&error);
                (cause.to_string(), is_of_tls(cause))
            }
            Err(elapsed) => (elapsed.to_string(), false),
        };
        let endpoint = self.endpoint;
        Err(if of_tls {
            ConnectError::Tls { endpoint, cause }
        } else {
            ConnectError::Unreachable { endpoint, cause }
        })
    }

    /// A client that connects when it is first called, for programs that may be there
    /// before the server is. To be called where Tokio runs.
    ///
    /// # Errors
    /// Any [`ConnectError`] but [`ConnectError::Unreachable`] and [`ConnectError::Tls`].
    pub fn connect_when_called(self) -> Result<Client, ConnectError> {
        let files = self.tls_files();
        let channel = self.transport()?.connect_lazy();
        self.client(files, channel)
    }

    fn client(self, files: Files, channel: Channel) -> Result<Client, ConnectError> {
        let token = match &self.token_file {
            Some(file) => {
                let files = Files::at(vec![file.clone()]);
                Some(Kept::new(files, token(file)?))
            }
            None => None,
        };
        let deadline = self.deadline;
        let channel = Kept::new(files, channel);
        Ok(Client::new(Transport { options: self, channel, token }, deadline))
    }

    fn tls_files(&self) -> Files {
        Files::at(self.tls.iter().flat_map(Tls::files).collect())
    }

    fn transport(&self) -> Result<transport::Endpoint, ConnectError> {
        if self.token_file.is_some() && self.tls.is_none() && !is_of_this_machine(&self.endpoint) {
            return Err(ConnectError::TokenInTheOpen);
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
            // A path is no authority; servers refuse it.
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

/// The connection, and what every call has with it.
#[derive(Debug)]
pub(super) struct Transport {
    options: Options,
    channel: Kept<Channel>,
    token: Option<Kept<MetadataValue<Ascii>>>,
}

impl Transport {
    /// The connection with what the files say now: another one where they changed.
    pub(super) fn channel(&self) -> Channel {
        self.channel.current(|| Ok(self.options.transport()?.connect_lazy()))
    }

    /// The message as it is sent.
    pub(super) fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        if let (Some(kept), Some(file)) = (&self.token, &self.options.token_file) {
            request.metadata_mut().insert("authorization", kept.current(|| token(file)));
        }
        request
    }

    pub(super) fn source(&self) -> &dyn Source {
        self.options.source.as_ref()
    }
}

fn token(file: &Path) -> Result<MetadataValue<Ascii>, ConnectError> {
    let text = read(file)?;
    let token = text.trim_ascii();
    let unfit = || ConnectError::Token(file.to_owned());
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err(unfit());
    }
    let value = [b"Bearer ", token].concat();
    let mut value: MetadataValue<Ascii> = value.as_slice().try_into().map_err(|_| unfit())?;
    // Not shown where requests are.
    value.set_sensitive(true);
    Ok(value)
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|source| ConnectError::File { path: path.to_owned(), source })
}

/// Whether nothing that is sent there leaves the machine.
fn is_of_this_machine(endpoint: &Endpoint) -> bool {
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

/// Whether it is TLS that the two sides do not agree on. Inside an I/O error it is no
/// source.
fn is_of_tls(innermost: &(dyn Error + 'static)) -> bool {
    let inner = innermost.downcast_ref().and_then(io::Error::get_ref);
    matches!(inner, Some(inner) if inner.is::<rustls::Error>())
}
