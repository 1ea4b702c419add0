//! Why certificates cannot be used.

use std::{io, path::PathBuf};

use tokio_rustls::rustls::{self, pki_types::pem, server::VerifierBuilderError};

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
    /// The revocation lists are refused.
    #[error("cannot use the revocation lists (CRLs) in {}", path.display())]
    RevocationLists {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
    /// A revocation list cannot be parsed.
    #[error("cannot parse a revocation list (CRL) in {}", path.display())]
    MalformedRevocationList {
        /// The file.
        path: PathBuf,
    },
    /// An authority has no revocation list, so that all of its certificates would be refused.
    #[error(
        "the authority {authority:?} has no revocation list (CRL) in {}, so every client \
         certificate that it signed would be refused; add its CRL",
        path.display()
    )]
    NoRevocationList {
        /// The file of the revocation lists.
        path: PathBuf,
        /// The subject of the authority.
        authority: String,
    },
}
