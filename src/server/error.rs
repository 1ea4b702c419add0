//! Why a server cannot start, or stops.

use std::{io, path::PathBuf};

use tokio::task::JoinError;

use crate::{
    app::StartError,
    audit::{MAX_COSIGNATURES, checkpoint::KeyError},
    auth::{AccessKeysError, TokenSettingsError},
    event_log::{Fork, OpenError, Position, PostgresError},
    telemetry::spans::SpansError,
    transport::{Endpoint, TlsError},
};

use super::{ConfigWarning, WitnessAddress, data_dir::DataDirError};

/// Why a server could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The log does not have what a checkpoint of this server states.
    #[error(
        "the last checkpoint in {}, at position {position}, is not of this log, which ends at \
         position {end}: if the log has lost its end, restore it; if you chose an earlier log, \
         which loses the events after it, move the checkpoints away and tell the auditors",
        checkpoints.display()
    )]
    OtherHistory {
        /// The file of the checkpoints.
        checkpoints: PathBuf,
        /// The position of the last one.
        position: Position,
        /// The last position of the log.
        end: Position,
    },
    /// The log in a database cannot be opened.
    #[error(transparent)]
    Database(#[from] PostgresError),
    /// The servers of a log in a database need the same key.
    #[error("a log in a database requires --signing-key, the same file for each of its servers")]
    NoSigningKey,
    /// The log in a database has the user pools of another region.
    #[error(
        "the log has the user pools of region {found}; start with --region {found}, or choose \
         another --log-name"
    )]
    OtherRegion {
        /// The region of the log.
        found: String,
    },
    /// The log in a database was created with another key.
    #[error(
        "{} is not the key that the log was created with; copy that one from another server",
        .0.display()
    )]
    OtherKey(PathBuf),
    /// The key that signs checkpoints cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Two of the witnesses are one.
    #[error(
        "--witness has {first} and {second}, whose names or keys are equal, so they are one \
         witness: remove one of them"
    )]
    RepeatedWitness {
        /// A witness.
        first: Box<WitnessAddress>,
        /// Another.
        second: Box<WitnessAddress>,
    },
    /// A checkpoint cannot have the cosignatures of all witnesses.
    #[error(
        "--witness names {count} witnesses, but a checkpoint has at most {MAX_COSIGNATURES} \
         cosignatures; remove some of them"
    )]
    TooManyWitnesses {
        /// How many there are.
        count: usize,
    },
    /// Spans cannot be sent.
    #[error(transparent)]
    Spans(#[from] SpansError),
    /// The application cannot start on the log.
    #[error("cannot serve the data directory {}", data_dir.display())]
    Start {
        /// The data directory.
        data_dir: PathBuf,
        /// The cause.
        source: StartError,
    },
    /// The endpoint cannot be bound.
    #[error("cannot listen on {endpoint}")]
    Listen {
        /// The endpoint.
        endpoint: Endpoint,
        /// The system's error.
        source: io::Error,
    },
    /// Calls over the network would be neither encrypted nor protected from modification.
    #[error(
        "{endpoint} is reachable from other machines, and without TLS calls can be read and \
         changed on the way: set --tls-cert and --tls-key, listen on 127.0.0.1 or unix:PATH, or \
         set --insecure"
    )]
    Exposed {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// AWS clients would reach the server over the network without TLS, or without being
    /// known to it.
    #[error(
        "{endpoint}, for AWS clients, is reachable from other machines: set --tls-cert and \
         --tls-key, and --aws-credentials or --client-ca, so that calls are encrypted and callers \
         known; or listen on 127.0.0.1 or unix:PATH, or set --insecure"
    )]
    AwsExposed {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// The console would show everything to everyone who can connect to it.
    #[error(
        "{endpoint}, for the console, would show everything to everyone who can connect to it, \
         because a browser needs no certificate there: set --readers, and --tls-cert and --tls-key \
         if other machines can reach it; or set --insecure"
    )]
    ConsoleExposed {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// A Unix socket is served without TLS.
    #[error(
        "{endpoint} is a Unix socket, where the system identifies the callers and TLS is not \
         used: remove --tls-cert, or listen on HOST:PORT"
    )]
    TlsOnSocket {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The keys of tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenSettingsError),
    /// The access keys cannot be used.
    #[error(transparent)]
    AccessKeys(#[from] AccessKeysError),
    /// A setting can never have the intended effect. Only [`Config::check`] reports it.
    ///
    /// [`Config::check`]: super::Config::check
    #[error(transparent)]
    Config(#[from] ConfigWarning),
    /// Certificates and keys could not be reloaded when they change.
    #[error("cannot start the reload task")]
    Reload(#[source] io::Error),
    /// The descriptors for reflection are invalid.
    #[error("cannot set up reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The listener failed.
    #[error("the server failed")]
    Transport(#[from] JoinError),
    /// The log failed while the server ran. Acknowledged commands are durable.
    #[error(
        "the log failed; acknowledged commands are durable, others may or may not be: check the \
         disk, then start again"
    )]
    LogFailed,
    /// The log no longer has what it had.
    #[error(
        "the log has forked: {0}; keep the data directory, and find out with the other servers \
         which events are lost before you start again: see UserpoolLogForked in \
         docs/operating/alerts.md"
    )]
    LogForked(Fork),
    /// The read model cannot be written, or is damaged. Acknowledged commands are durable.
    #[error(
        "the read model failed; acknowledged commands are durable, others may or may not be: \
         check the disk, then start again, which rebuilds a damaged read model from the log"
    )]
    ReadModelFailed,
    /// The log could not be closed in time. Acknowledged commands are durable.
    #[error(
        "the log does not respond, so the server stops without closing it; acknowledged commands \
         are durable, others may or may not be: check the disk, then start again"
    )]
    LogHangs,
}

impl ServerError {
    /// Whether the log no longer has what it had.
    pub(crate) const fn is_fork(&self) -> bool {
        matches!(
            self,
            Self::LogForked(_)
                | Self::Database(PostgresError::Forked(_))
                | Self::Start { source: StartError::Forked(_), .. }
        )
    }
}

/// Converts an error of listening on `endpoint`.
pub(super) fn cannot_listen(endpoint: &Endpoint) -> impl FnOnce(io::Error) -> ServerError {
    let endpoint = endpoint.clone();
    move |source| ServerError::Listen { endpoint, source }
}
