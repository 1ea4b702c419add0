//! The client of a witness: it asks for the cosignature of a checkpoint.

use std::{fmt, mem, str::FromStr, sync::Arc, time::Duration};

use axum::body::{Body, to_bytes};
use http::{
    Request, StatusCode, Uri,
    header::{CONTENT_TYPE, HOST},
    uri::Scheme,
};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use tower::BoxError;

use crate::{
    app::{ConsistencyQuery, History, HistoryError},
    audit::{AddCheckpoint, Note, NoteSignature, WitnessKey},
};

/// How long a witness may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// More than any response has.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// How much of a refusal is reported.
const MAX_EXCERPT_CHARS: usize = 200;

/// A witness that a server asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAddress {
    url: Uri,
    /// The key of its cosignatures.
    pub(super) key: WitnessKey,
}

/// The text is not a [`WitnessAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected URL+NAME+HASH+KEY, the URL of a witness and the key that it prints, such as \
     https://witness.example+witness.example+…"
)]
pub struct WitnessAddressError;

/// Asks a witness.
#[derive(Debug)]
pub(super) struct WitnessClient {
    address: WitnessAddress,
    /// For https. The error says why no certificate can be verified.
    tls: Option<Result<Arc<ClientConfig>, String>>,
    /// The size of the last checkpoint that the witness cosigned, as far as is known.
    size: u64,
}

/// Why a witness did not cosign a checkpoint.
#[derive(Debug, thiserror::Error)]
pub(super) enum CosignError {
    /// It did not answer.
    #[error("it did not answer within {} seconds", TIMEOUT.as_secs())]
    Timeout,
    /// It cannot be reached.
    #[error("it cannot be reached")]
    Unreachable(#[source] BoxError),
    /// It refused.
    #[error("it answered {0}: {1}")]
    Refused(StatusCode, String),
    /// It has cosigned more records than there are.
    #[error(
        "it has cosigned a checkpoint of {0} records, which this log does not have: the log lost \
         its end, or another server signs with its key"
    )]
    Ahead(u64),
    /// Its answer has no valid cosignature.
    #[error("its answer has no valid cosignature of {0}")]
    NotCosigned(String),
    /// The proof cannot be computed.
    #[error("there is no proof that the log was continued")]
    Proof(#[from] HistoryError),
}

impl CosignError {
    /// Whether the witness denies that the log was continued, or does not know the log. A witness, or
    /// a proxy before it, that is overloaded or has an error of its own does not.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(status, _) => {
                let is_temporary =
                    [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(status);
                status.is_client_error() && !is_temporary
            }
            Self::Ahead(_) => true,
            Self::Timeout | Self::Unreachable(_) | Self::NotCosigned(_) | Self::Proof(_) => false,
        }
    }
}

impl WitnessClient {
    pub(super) fn new(address: WitnessAddress) -> Self {
        let tls = (address.url.scheme() == Some(&Scheme::HTTPS)).then(tls_config);
        Self { address, tls, size: 0 }
    }

    /// The name of the witness.
    pub(super) fn name(&self) -> &str {
        self.address.key.name()
    }

    /// Whether a checkpoint has the cosignature of the witness.
    pub(super) fn has_cosigned(&self, checkpoint: &Note) -> bool {
        self.address.key.verify(checkpoint).is_ok()
    }

    /// Returns the cosignature of a checkpoint with this size, which is valid.
    pub(super) async fn cosign(
        &mut self,
        history: &History,
        checkpoint: &Note,
        size: u64,
    ) -> Result<NoteSignature, CosignError> {
        timeout(TIMEOUT, self.ask(history, checkpoint, size))
            .await
            .map_err(|_| CosignError::Timeout)?
    }

    async fn ask(
        &mut self,
        history: &History,
        checkpoint: &Note,
        size: u64,
    ) -> Result<NoteSignature, CosignError> {
        let mut is_repeated = false;
        loop {
            if self.size > size {
                // The next time, it is asked again: the answer may have been wrong.
                return Err(CosignError::Ahead(mem::take(&mut self.size)));
            }
            let proof =
                history.prove_consistency(ConsistencyQuery::between(self.size, size)).await?;
            let request = AddCheckpoint {
                old_size: self.size,
                hashes: proof.hashes,
                checkpoint: checkpoint.clone(),
            };
            let (status, body) =
                self.post(request.to_string()).await.map_err(CosignError::Unreachable)?;
            match status {
                StatusCode::OK => {
                    let key = &self.address.key;
                    let note = Note::parse(&format!("{checkpoint}{body}")).ok();
                    let note = note.filter(|note| key.verify(note).is_ok());
                    let cosignature = note.and_then(|note| key.cosignature_in(&note).cloned());
                    self.size = size;
                    return cosignature
                        .ok_or_else(|| CosignError::NotCosigned(key.name().to_owned()));
                }
                StatusCode::CONFLICT if !is_repeated && body.trim_end().parse::<u64>().is_ok() => {
                    self.size = body.trim_end().parse().unwrap_or_default();
                    is_repeated = true;
                }
                status => return Err(CosignError::Refused(status, excerpt(&body))),
            }
        }
    }

    async fn post(&self, body: String) -> Result<(StatusCode, String), BoxError> {
        let url = &self.address.url;
        let is_https = url.scheme() == Some(&Scheme::HTTPS);
        let host = url.host().ok_or("the URL has no host")?;
        let port = url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        stream.set_nodelay(true)?;
        let path = format!("{}/add-checkpoint", url.path().trim_end_matches('/'));
        let authority = url.authority().map_or(host, |authority| authority.as_str());
        let request = Request::post(path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Body::from(body))?;
        match &self.tls {
            Some(Ok(tls)) => {
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
                let tls = TlsConnector::from(Arc::clone(tls));
                send(tls.connect(name, stream).await?, request).await
            }
            Some(Err(error)) => Err(error.clone().into()),
            None => send(stream, request).await,
        }
    }
}

/// Sends a request on a new connection, and returns the response.
async fn send<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Body>,
) -> Result<(StatusCode, String), BoxError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = to_bytes(Body::new(response.into_body()), MAX_RESPONSE_BYTES).await?;
        Ok::<_, BoxError>((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        result = exchange.as_mut() => result,
        // The connection may end when the response has been received.
        ended = connection => {
            ended?;
            exchange.await
        }
    }
}

/// The beginning of a response, without control characters.
fn excerpt(body: &str) -> String {
    let start: String = body.trim_end().chars().take(MAX_EXCERPT_CHARS).collect();
    start.escape_debug().to_string()
}

/// The settings of TLS with the authorities of this machine, or why there are none.
fn tls_config() -> Result<Arc<ClientConfig>, String> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let errors = loaded.errors.iter().map(|error| format!(": {error}"));
        let errors: String = errors.collect();
        return Err(format!(
            "this machine has no certificates of authorities to verify it, or SSL_CERT_FILE names \
             none{errors}"
        ));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Reads `URL+NAME+HASH+KEY`.
impl FromStr for WitnessAddress {
    type Err = WitnessAddressError;

    fn from_str(text: &str) -> Result<Self, WitnessAddressError> {
        let parse = || {
            let (url, key) = text.split_once('+')?;
            let url: Uri = url.parse().ok()?;
            let is_http = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&url.scheme());
            let has_user = url.authority()?.as_str().contains('@');
            (is_http && url.query().is_none() && !has_user).then_some(())?;
            Some(Self { url, key: key.parse().ok()? })
        };
        parse().ok_or(WitnessAddressError)
    }
}

impl fmt::Display for WitnessAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.url, self.key)
    }
}
