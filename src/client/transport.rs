//! The connection of a client, with the TLS settings and the token of its files.

use std::{
    error::Error,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time};
use tokio_rustls::rustls;
use tonic::{
    Request,
    metadata::{Ascii, MetadataMap, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint as ChannelBuilder, Identity, Uri},
};
use tower::{Service, service_fn};

use crate::endpoint::Endpoint;

use super::{
    ConnectError, Options, Tls,
    file_backed::{FileBacked, Files},
};

/// How long a connection may be silent before it is pinged, even without a running call.
/// The sum of this and the timeout is less than the default deadline.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// How long the answer to a ping may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection, and the credentials that every call sends.
#[derive(Debug)]
pub(super) struct Transport {
    options: Options,
    channel: FileBacked<Channel>,
    token: Option<FileBacked<MetadataValue<Ascii>>>,
}

impl Transport {
    /// Connects to the server.
    pub(super) async fn connect(options: Options) -> Result<Self, ConnectError> {
        let files = tls_files(&options);
        let builder = channel_builder(&options)?;
        let token = token(&options)?;
        let connecting = async {
            match unix_connector(&options.endpoint) {
                Some(connector) => builder.connect_with_connector(connector).await,
                None => builder.connect().await,
            }
        };
        let (cause, is_tls) = match time::timeout(options.deadline, connecting).await {
            Ok(Ok(channel)) => {
                return Ok(Self { options, channel: FileBacked::new(files, channel), token });
            }
            Ok(Err(error)) => {
                let cause = innermost(&error);
                (cause.to_string(), is_tls_error(cause))
            }
            Err(elapsed) => (elapsed.to_string(), false),
        };
        let endpoint = options.endpoint;
        Err(if is_tls {
            ConnectError::Tls { endpoint, cause }
        } else {
            ConnectError::Unreachable { endpoint, cause }
        })
    }

    pub(super) const fn endpoint(&self) -> &Endpoint {
        &self.options.endpoint
    }

    /// Connects on the first call.
    pub(super) fn connect_lazy(options: Options) -> Result<Self, ConnectError> {
        let files = tls_files(&options);
        let channel = lazy_channel(&options)?;
        let token = token(&options)?;
        Ok(Self { options, channel: FileBacked::new(files, channel), token })
    }

    /// Returns the connection: a new one if the TLS files changed.
    pub(super) fn channel(&self) -> Channel {
        self.channel.current(|| lazy_channel(&self.options))
    }

    /// Returns a request with the message and the token.
    pub(super) fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        self.authorize(request.metadata_mut());
        request
    }

    /// Adds the token to the metadata of a request.
    pub(super) fn authorize(&self, metadata: &mut MetadataMap) {
        if let (Some(token), Some(file)) = (&self.token, &self.options.token_file) {
            metadata.insert("authorization", token.current(|| read_token(file)));
        }
    }
}

/// The token in the file of the options, if they name one.
fn token(options: &Options) -> Result<Option<FileBacked<MetadataValue<Ascii>>>, ConnectError> {
    let Some(file) = &options.token_file else { return Ok(None) };
    let files = Files::at(vec![file.clone()]);
    Ok(Some(FileBacked::new(files, read_token(file)?)))
}

fn tls_files(options: &Options) -> Files {
    let files = options.tls.iter().flat_map(|Tls { ca, identity, .. }| {
        let identity = identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        ca.iter().chain(identity)
    });
    Files::at(files.map(PathBuf::clone).collect())
}

/// A connection that is made on the first call.
fn lazy_channel(options: &Options) -> Result<Channel, ConnectError> {
    let builder = channel_builder(options)?;
    Ok(match unix_connector(&options.endpoint) {
        Some(connector) => builder.connect_with_connector_lazy(connector),
        None => builder.connect_lazy(),
    })
}

/// Connects to the Unix socket of the endpoint, if it is one. tonic connects only to sockets
/// whose paths are UTF-8.
fn unix_connector(
    endpoint: &Endpoint,
) -> Option<
    impl Service<Uri, Response = TokioIo<UnixStream>, Error = io::Error, Future: Send>
    + Clone
    + Send
    + use<>,
> {
    let Endpoint::Unix(path) = endpoint else { return None };
    let path = path.clone();
    Some(service_fn(move |_: Uri| {
        let path = path.clone();
        async move { Ok(TokioIo::new(UnixStream::connect(path).await?)) }
    }))
}

fn channel_builder(options: &Options) -> Result<ChannelBuilder, ConnectError> {
    if options.token_file.is_some() && options.tls.is_none() && !is_local(&options.endpoint) {
        return Err(ConnectError::PlaintextToken);
    }
    let address = match (&options.endpoint, &options.tls) {
        (Endpoint::Tcp(address), None) => format!("http://{address}"),
        (Endpoint::Tcp(address), Some(_)) => format!("https://{address}"),
        // Servers refuse a path as the authority.
        (Endpoint::Unix(_), None) => "http://localhost".to_owned(),
        (Endpoint::Unix(_), Some(_)) => return Err(ConnectError::TlsOnUnixSocket),
    };
    let builder = ChannelBuilder::from_shared(address)
        .and_then(|builder| builder.user_agent(options.user_agent.as_str()))
        .map_err(ConnectError::Setup)?
        .connect_timeout(options.deadline)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    match &options.tls {
        Some(tls) => builder.tls_config(tls_config(tls)?).map_err(ConnectError::Setup),
        None => Ok(builder),
    }
}

fn tls_config(options: &Tls) -> Result<ClientTlsConfig, ConnectError> {
    let mut tls = match &options.ca {
        Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    if let Some((certificate, key)) = &options.identity {
        tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(match &options.server_name {
        Some(name) => tls.domain_name(name),
        None => tls,
    })
}

fn read_token(file: &Path) -> Result<MetadataValue<Ascii>, ConnectError> {
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
