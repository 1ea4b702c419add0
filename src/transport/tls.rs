//! TLS: the server's certificate, the authorities of client certificates and their
//! revocation lists, loaded from files.

mod error;
mod files;
mod validity;

use std::{path::PathBuf, sync::Arc};

use tokio_rustls::rustls::{
    self, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use crate::{fs::reload::FileLoader, telemetry::metrics::CertificateValidity};

pub use self::error::TlsError;
use self::{
    files::{certificates, private_key, revocation_lists, unusable},
    validity::{authorities_without_list, of_certificates, of_revocation_lists},
};

/// The certificate files, and how clients authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// The server's certificate and the intermediate ones, in PEM.
    pub certificate: PathBuf,
    /// The private key of that certificate, in PEM.
    pub key: PathBuf,
    /// How clients authenticate; `None` if they are asked for no certificate.
    pub clients: Option<ClientCertificates>,
}

/// How clients authenticate with certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// The authorities that sign client certificates, in PEM.
    pub authorities: PathBuf,
    /// The revocation lists of the authorities, in PEM; `None` if revocation is not checked.
    pub revocation_lists: Option<PathBuf>,
    /// Whether a client without a certificate is refused.
    pub required: bool,
}

/// What the files contain.
pub(crate) struct LoadedTls {
    /// The settings of new connections.
    pub(crate) config: Arc<ServerConfig>,
    /// When the certificates and revocation lists in use are valid.
    pub(crate) validities: Vec<CertificateValidity>,
}

impl ServerTls {
    /// The same, but a client without a certificate is not refused.
    #[must_use]
    pub(crate) fn with_optional_clients(mut self) -> Self {
        if let Some(clients) = &mut self.clients {
            clients.required = false;
        }
        self
    }

    /// Whether the key of the server's certificate is Ed25519. An unreadable certificate is
    /// reported where it is loaded.
    pub(crate) fn has_ed25519_key(&self) -> bool {
        certificates(&self.certificate).is_ok_and(|chain| validity::has_ed25519_key(&chain))
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.certificate.clone(), self.key.clone()];
        if let Some(ClientCertificates { authorities, revocation_lists, .. }) = &self.clients {
            files.push(authorities.clone());
            files.extend(revocation_lists.clone());
        }
        files
    }

    /// Loads the files, and returns the loader that reloads them when they change.
    pub(crate) fn loader(self) -> Result<FileLoader<LoadedTls>, TlsError> {
        FileLoader::new("certificates", self.files(), move || self.load())
    }

    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub(crate) fn load(&self) -> Result<LoadedTls, TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = private_key(&self.key)?;
        let mut validities = of_certificates("server", &chain);
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable(&self.certificate))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let (verifier, of_clients) = clients.load(provider)?;
                validities.extend(of_clients);
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder.with_single_cert(chain, key);
        let mut config = config.map_err(|error| {
            let certificate = self.certificate.clone();
            if matches!(error, rustls::Error::InconsistentKeys(_)) {
                return TlsError::Mismatch { certificate, key: self.key.clone() };
            }
            unusable(&certificate)(error)
        })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // No session is resumed: every connection checks the certificates, which may
        // have expired or been revoked, and the authorities, which may have changed.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(LoadedTls { config: Arc::new(config), validities })
    }
}

impl ClientCertificates {
    /// Reads the files, and returns what verifies the certificates of clients.
    ///
    /// With revocation lists, each certificate of a client's chain must be on a current list
    /// of its issuer as not revoked. Without such a list its status is unknown, and it is
    /// refused: whoever can withhold a list could otherwise undo a revocation.
    fn load(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<(Arc<dyn ClientCertVerifier>, Vec<CertificateValidity>), TlsError> {
        let Self { authorities: path, revocation_lists: lists_path, required } = self;
        let authorities = certificates(path)?;
        let lists = lists_path.as_deref().map(revocation_lists).transpose()?.unwrap_or_default();
        let mut validities = of_certificates("client_ca", &authorities);
        if let Some(path) = lists_path {
            validities.extend(of_revocation_lists(path, &lists)?);
            if let Some(authority) = authorities_without_list(&authorities, &lists).next() {
                return Err(TlsError::NoRevocationList { path: path.clone(), authority });
            }
        }
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(unusable(path))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .with_crls(lists)
            .enforce_revocation_expiration();
        let verifier = if *required { verifier } else { verifier.allow_unauthenticated() };
        let verifier = verifier.build().map_err(|source| {
            let path = lists_path.as_ref().unwrap_or(path).clone();
            TlsError::RevocationLists { path, source }
        })?;
        Ok((verifier, validities))
    }
}
