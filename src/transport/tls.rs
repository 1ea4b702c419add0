//! TLS: the certificate that the server shows, and the ones that it asks its
//! clients for, as they are in files.

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

/// Where the certificates are, and what is asked of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate with those that lead to its authority, in PEM.
    pub certificate: PathBuf,
    /// The key of that certificate, in PEM.
    pub key: PathBuf,
    /// The authorities that vouch for clients, in PEM, and whether clients must
    /// have a certificate of one of them; nothing where they are not asked.
    pub clients: Option<Clients>,
}

/// The certificates of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// The authorities that vouch for them, in PEM.
    pub authorities: PathBuf,
    /// Whether a client without one is refused.
    pub required: bool,
}

/// Why certificates cannot be used. The remedy is in the text.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read; see to its name, its owner and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Every user of the machine has the key.
    #[error(
        "the key {path} is open to every user of this machine (mode {mode:04o}); close it with \
         chmod 600 {path}, or in a Kubernetes secret volume with defaultMode: 0440",
        path = path.display()
    )]
    OpenToAll {
        /// The key.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file has something else, or nothing.
    #[error("{} has no {what} in PEM form", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What should be there.
        what: &'static str,
    },
    /// A file is no PEM.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The two are not of each other.
    #[error(
        "the certificate {} is not that of the key {}; give both of one pair",
        certificate.display(),
        key.display()
    )]
    NotAPair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The library refuses what is in a file.
    #[error("{} cannot be used", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The library refuses the authorities.
    #[error("the authorities in {} cannot be used", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
}

impl Tls {
    fn files(&self) -> Vec<PathBuf> {
        let authorities = self.clients.as_ref().map(|clients| clients.authorities.clone());
        [self.certificate.clone(), self.key.clone()].into_iter().chain(authorities).collect()
    }

    /// Loads the files, and again when they change.
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
                return TlsError::NotAPair { certificate, key: self.key.clone() };
            }
            unusable(&certificate)(error)
        })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Connections are few and long. Each proves anew who it is with, also after
        // a certificate has expired or an authority is trusted no longer.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|source| TlsError::Damaged { path: path.to_owned(), source })?;
    if found.is_empty() {
        return Err(TlsError::Missing { path: path.to_owned(), what: "certificate" });
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    if let Some(mode) = public_mode(path).map_err(unreadable)? {
        return Err(TlsError::OpenToAll { path: path.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|source| {
        let path = path.to_owned();
        if matches!(source, pem::Error::NoItemsFound) {
            return TlsError::Missing { path, what: "private key, not encrypted," };
        }
        TlsError::Damaged { path, source }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn unusable(path: &Path) -> impl FnOnce(rustls::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::Unusable { path, source }
}
