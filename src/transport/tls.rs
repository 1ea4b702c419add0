//! TLS: the server's certificate and the authorities of client certificates, loaded
//! from files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_rustls::rustls::{
    self, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier},
};

use crate::fs::{public_mode, reload::FileLoader};

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
    /// Whether a client without a certificate is refused.
    pub required: bool,
}

/// Why certificates cannot be used. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}; check its name, owner and permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Every user of the machine has access to the key.
    #[error(
        "every user of this machine has access to the key {path} (mode {mode:04o}); run \
         chmod 600 {path}, or set defaultMode: 0440 on the Kubernetes secret volume",
        path = path.display()
    )]
    Exposed {
        /// The key.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file does not contain what it should.
    #[error("{} contains no {what} in PEM format", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it should contain.
        what: &'static str,
    },
    /// A file is not valid PEM.
    #[error("{} is not valid PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Where it is invalid.
        source: pem::Error,
    },
    /// The certificate is for another key.
    #[error(
        "the certificate {} does not match the key {}; set both to the same pair",
        certificate.display(),
        key.display()
    )]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The contents of a file are refused.
    #[error("cannot use {}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The authorities are refused.
    #[error("cannot use the authorities in {}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
}

impl ServerTls {
    fn files(&self) -> Vec<PathBuf> {
        let authorities = self.clients.as_ref().map(|clients| clients.authorities.clone());
        [self.certificate.clone(), self.key.clone()].into_iter().chain(authorities).collect()
    }

    /// Loads the files, and returns the loader that reloads them when they change.
    pub(crate) fn loader(self) -> Result<FileLoader<ServerConfig>, TlsError> {
        FileLoader::new("certificates", self.files(), move || self.load())
    }

    /// Reads the files.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub(crate) fn load(&self) -> Result<ServerConfig, TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = private_key(&self.key)?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable(&self.certificate))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let path = &clients.authorities;
                let mut roots = RootCertStore::empty();
                for authority in certificates(path)? {
                    roots.add(authority).map_err(unusable(path))?;
                }
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier =
                    if clients.required { verifier } else { verifier.allow_unauthenticated() };
                let verifier = verifier
                    .build()
                    .map_err(|source| TlsError::Authorities { path: path.clone(), source })?;
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
        // have expired, and the authorities, which may have changed.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if found.is_empty() {
        return Err(TlsError::Missing { path: path.to_owned(), what: "certificate" });
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    if let Some(mode) = public_mode(path).map_err(unreadable)? {
        return Err(TlsError::Exposed { path: path.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|source| {
        let path = path.to_owned();
        if matches!(source, pem::Error::NoItemsFound) {
            return TlsError::Missing { path, what: "unencrypted private key" };
        }
        TlsError::Pem { path, source }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn unusable(path: &Path) -> impl FnOnce(rustls::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::Unusable { path, source }
}
