//! Why a command is not carried out, and why the application does not start.

use std::path::PathBuf;

use uuid::Uuid;

use crate::{
    audit::DecodeError,
    event_log::{Position, ReadError},
    user_pool::Rejection,
};

use super::ReadModelError;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// A business rule said no. Nothing was recorded.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The `request_id` was used for another request. Nothing was recorded.
    #[error("request_id {request_id} was used for another request")]
    RequestIdReused {
        /// The idempotency key.
        request_id: Uuid,
    },
    /// More commands wait than the writer takes on. Nothing was recorded.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The server is stopping. Nothing was recorded.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The log failed. The command may or may not have been recorded, and no
    /// other will be.
    #[error("the log is unavailable")]
    LogUnavailable,
    /// A fault in this program. Nothing was recorded.
    #[error("the command could not be carried out")]
    Fault,
    /// What is stored cannot be read. Nothing was recorded by this call; where it was
    /// a retry, what the first one recorded is still there.
    #[error("what is stored cannot be read")]
    Unreadable(#[from] LoadError),
}

/// Why stored state could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The read model.
    #[error(transparent)]
    ReadModel(#[from] ReadModelError),
    /// The log.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The log has less than was projected before: its end is lost.
    #[error(
        "the log ends at position {end}, but position {projected} was projected before; restore \
         the log, or delete the read model to go on without what is missing"
    )]
    EndLost {
        /// Where the log ends.
        end: Position,
        /// Up to where it was projected.
        projected: Position,
    },
    /// A record of the log is intact, but not understood.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// Why the application could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The read model can be neither used nor built again.
    #[error(
        "the read model {} cannot be built; see to the disk, or delete it: it is built again",
        path.display()
    )]
    ReadModel {
        /// Its directory.
        path: PathBuf,
        /// What is wrong with it.
        source: ReadModelError,
    },
    /// The log cannot be projected.
    #[error(
        "the log cannot be projected; userpool log verify says where it is damaged: restore it \
         from a backup, or from an export of it with userpool log import"
    )]
    Load(#[from] LoadError),
    /// The log has less than was projected.
    #[error(transparent)]
    EndLost(LoadError),
    /// The thread of the writer could not be started.
    #[error("the writer could not be started")]
    Thread(#[source] std::io::Error),
}
