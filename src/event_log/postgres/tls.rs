//! TLS to the database: the same implementation as that of the server's own listeners.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::fs::public_mode;

use super::settings_error::{PostgresSettingsError, unreadable};

/// The certificates of connections to a database, in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseTls {
    /// The authorities of its certificate; `None` for those of the system.
    pub authorities: Option<PathBuf>,
    /// The certificate to log in with, and its private key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Loads the certificates. Without encryption, none is needed.
pub(super) fn connector(
    settings: &DatabaseTls,
    is_encrypted: bool,
) -> Result<MakeRustlsConnect, PostgresSettingsError> {
    let mut roots = RootCertStore::empty();
    match &settings.authorities {
        Some(path) => {
            for authority in certificates(path)? {
                roots.add(authority).map_err(|error| unusable(path, error.to_string()))?;
            }
        }
        None if is_encrypted => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        None => (),
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(PostgresSettingsError::Tls)?
        .with_root_certificates(roots);
    let config = match &settings.client {
        None => config.with_no_client_auth(),
        Some((chain, key)) => config
            .with_client_auth_cert(certificates(chain)?, private_key(key)?)
            .map_err(|error| unusable(chain, error.to_string()))?,
    };
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PostgresSettingsError> {
    let pem = fs::read(path).map_err(unreadable(path))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| unusable(path, error.to_string()))?;
    if certificates.is_empty() {
        return Err(unusable(path, "there is none in PEM".to_owned()));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PostgresSettingsError> {
    if public_mode(path).map_err(unreadable(path))?.is_some() {
        return Err(PostgresSettingsError::Exposed(path.to_owned()));
    }
    let pem = fs::read(path).map_err(unreadable(path))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unusable(path, error.to_string()))
}

fn unusable(path: &Path, problem: String) -> PostgresSettingsError {
    PostgresSettingsError::Certificate { path: path.to_owned(), problem }
}
