//! Why a server does not start, or stops.

use std::{io, path::PathBuf};

use crate::{
    app::StartError, audit::checkpoint::KeyError, event_log::OpenError,
    server::data_dir::DataDirError, telemetry::spans::SpansError,
};

use super::Futile;
use crate::{
    auth::TokensError,
    transport::{Endpoint, TlsError},
};

/// Why a server could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The log.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The key that checkpoints are signed with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The collector that spans go to.
    #[error(transparent)]
    Spans(#[from] SpansError),
    /// The application on top of it.
    #[error("the data directory {} cannot be served", data_dir.display())]
    Start {
        /// The data directory.
        data_dir: PathBuf,
        /// Why.
        source: StartError,
    },
    /// The endpoint.
    #[error("cannot listen on {endpoint}")]
    Listen {
        /// The endpoint.
        endpoint: Endpoint,
        /// What the system says.
        source: io::Error,
    },
    /// Others could read and change what is said there.
    #[error(
        "{endpoint} can be reached from other machines, and without TLS anybody on the way can \
         read and change what is said: give --tls-cert and --tls-key, listen on 127.0.0.1 or \
         unix:PATH, or say --insecure"
    )]
    Exposed {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// There is nobody on the way to a file.
    #[error(
        "{endpoint} is a socket, where the system itself says who calls, without TLS: leave out \
         --tls-cert, or listen on HOST:PORT"
    )]
    TlsOnSocket {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The keys of tokens.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// A setting that can never do what it is for. Only the check of settings tells.
    #[error(transparent)]
    Futile(#[from] Futile),
    /// What looks after the files of certificates.
    #[error("changes of files and SIGHUP cannot be waited for")]
    Reloading(#[source] io::Error),
    /// The descriptors that reflection serves.
    #[error("reflection cannot be set up")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport.
    #[error("the server failed")]
    Transport(#[from] tonic::transport::Error),
    /// The log failed while it was served; what was acknowledged is safe.
    #[error(
        "the log failed; every acknowledged command is kept, the others may or may not be: \
         see to the disk, then start again"
    )]
    LogFailed,
    /// The log does not answer; what was acknowledged is safe.
    #[error(
        "the log does not answer, so the server stops without it; every acknowledged command is \
         kept, the others may or may not be: see to the disk, then start again"
    )]
    LogHangs,
}
