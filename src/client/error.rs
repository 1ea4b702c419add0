//! Errors of setting up a client and of connecting.

use std::{error::Error, io, path::PathBuf};

use tonic::transport;

use crate::endpoint::Endpoint;

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

/// An error and its sources, joined by colons.
pub(super) fn error_chain(error: &dyn Error) -> String {
    let source = error.source().map(|source| format!(": {}", error_chain(source)));
    format!("{error}{}", source.unwrap_or_default())
}
