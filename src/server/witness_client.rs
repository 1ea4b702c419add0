//! The client of a witness: it asks for the cosignature of a checkpoint.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

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
    "expected URL+NAME+HASH+KEY, with the URL and the key that \"userpool witness\" prints, such as \
     https://witness.example+witness.example+…"
)]
pub struct WitnessAddressError;

/// Asks a witness.
#[derive(Debug)]
pub(super) struct WitnessClient {
    address: WitnessAddress,
    /// For https.
    tls: Option<Arc<ClientConfig>>,
    /// The size of the last checkpoint that the witness cosigned, as far as is known.
    size: u64,
}

/// Why a witness did not cosign a checkpoint.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
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

impl AskError {
    /// Whether the witness denies that the log was continued.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(..) | Self::Ahead(_))
    }
}

impl WitnessClient {
    pub(super) fn new(address: WitnessAddress) -> Self {
        let tls = (address.url.scheme() == Some(&Scheme::HTTPS)).then(tls_config).flatten();
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
    ) -> Result<NoteSignature, AskError> {
        timeout(TIMEOUT, self.ask(history, checkpoint, size))
            .await
            .map_err(|_| AskError::Timeout)?
    }

    async fn ask(
        &mut self,
        history: &History,
        checkpoint: &Note,
        size: u64,
    ) -> Result<NoteSignature, AskError> {
        let mut is_repeated = false;
        loop {
            if self.size > size {
                return Err(AskError::Ahead(self.size));
            }
            let proof =
                history.prove_consistency(ConsistencyQuery::between(self.size, size)).await?;
            let request = AddCheckpoint {
                old_size: self.size,
                hashes: proof.hashes,
                checkpoint: checkpoint.clone(),
            };
            let (status, body) =
                self.post(request.to_string()).await.map_err(AskError::Unreachable)?;
            match status {
                StatusCode::OK => {
                    let key = &self.address.key;
                    let note = Note::parse(&format!("{checkpoint}{body}")).ok();
                    let note = note.filter(|note| key.verify(note).is_ok());
                    let cosignature = note.and_then(|note| key.cosignature_in(&note).cloned());
                    self.size = size;
                    return cosignature.ok_or_else(|| AskError::NotCosigned(key.name().to_owned()));
                }
                StatusCode::CONFLICT if !is_repeated && body.trim_end().parse::<u64>().is_ok() => {
                    self.size = body.trim_end().parse().unwrap_or_default();
                    is_repeated = true;
                }
                status => return Err(AskError::Refused(status, excerpt(&body))),
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
        match (&self.tls, is_https) {
            (Some(tls), _) => {
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
                let tls = TlsConnector::from(Arc::clone(tls));
                send(tls.connect(name, stream).await?, request).await
            }
            (None, true) => {
                Err("this machine has no certificates of authorities to verify it".into())
            }
            (None, false) => send(stream, request).await,
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

/// The settings of TLS with the authorities of this machine; `None` if there are none.
fn tls_config() -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return None;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(Arc::new(config))
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
