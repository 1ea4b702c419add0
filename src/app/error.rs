//! Why a command is not executed, and why the application cannot start.

use std::{io, path::PathBuf};

use uuid::Uuid;

use crate::{
    audit::DecodeError,
    event_log::{Fork, Position, ReadError},
    user_pool::{Contradiction, Rejection},
};

use super::{ClockError, ReadModelError, read_model::ProjectError};

/// Why a command was not executed.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// A business rule refuses it. Nothing was recorded.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The `request_id` was used for another request. Nothing was recorded.
    #[error("request_id {request_id} was used for another request")]
    RequestIdReused {
        /// The idempotency key.
        request_id: Uuid,
    },
    /// Too many commands wait for the writer. Nothing was recorded.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The server is stopping. Nothing was recorded.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The log or the read model failed. The command may or may not have been recorded;
    /// no later command will be.
    #[error("the log is unavailable")]
    LogUnavailable,
    /// The log cannot be reached. Nothing was recorded.
    #[error("the log cannot be reached")]
    LogUnreachable,
    /// The log no longer has what it had. The command may or may not have been recorded; no later
    /// command will be.
    #[error(transparent)]
    Forked(Fork),
    /// The clock is wrong. Nothing was recorded.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// A fault in this program. Nothing was recorded.
    #[error("the command failed in this program")]
    Fault,
    /// Stored data cannot be read. This call recorded nothing; if it was a retry, the
    /// event of the first call is still there.
    #[error("stored data cannot be read")]
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
    /// The log ends before the last projected record: its end is lost.
    #[error(
        "the read model ends at position {projected}, after the log, which ends at position {end}: \
         if the log has lost its end, restore it; if the read model is that of another log, \
         delete it"
    )]
    EndLost {
        /// Where the log ends.
        end: Position,
        /// The last position that was projected.
        projected: Position,
    },
    /// A record of the log is intact, but this version cannot decode it.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// An event that no command could have recorded.
    #[error("the event at position {position} contradicts the events before it")]
    Contradiction {
        /// The position of the event.
        position: Position,
        /// What is wrong with it.
        source: Contradiction,
    },
}

impl From<ProjectError> for LoadError {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::ReadModel(error) => Self::ReadModel(error),
            ProjectError::Contradiction { position, source } => {
                Self::Contradiction { position, source }
            }
        }
    }
}

/// Why the application could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The read model can neither be used nor rebuilt.
    #[error(
        "cannot build the read model in {}; check the disk, or delete the directory",
        path.display()
    )]
    ReadModel {
        /// Its directory.
        path: PathBuf,
        /// The cause.
        source: ReadModelError,
    },
    /// The log cannot be projected.
    #[error(
        "cannot build the read model from the log; find the damage with userpool log verify, \
         and restore the log from a backup, or from an export with userpool log import"
    )]
    Load(#[from] LoadError),
    /// The end of the log is lost.
    #[error(transparent)]
    EndLost(LoadError),
    /// A log that servers share no longer has what it had.
    #[error(transparent)]
    Forked(Fork),
    /// The file with the last event that this server has seen cannot be used.
    #[error("cannot use {}; check the disk, the owner and the permissions", path.display())]
    SeenHead {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The clock is wrong.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The thread of the writer could not be started.
    #[error("cannot start the writer")]
    Thread(#[source] io::Error),
}

/// Why nothing is acknowledged any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The log has failed.
    Log,
    /// A log that servers share no longer has what it had.
    Forked(Fork),
    /// The read model cannot be written, or is damaged.
    ReadModel,
}
