//! Why a session of the database cannot be opened or used.

use std::{io, path::PathBuf, time::Duration};

use tokio_postgres::error::{DbError, SqlState};

use crate::event_log::{AppendError, Defect, Fork, Position, ReadError};

use super::{durability::DurabilityProblems, settings_error::PostgresSettingsError};

/// Why a log in PostgreSQL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] PostgresSettingsError),
    /// The database cannot be reached, or refuses.
    #[error("cannot use the log {place}")]
    Database {
        /// The log and the servers.
        place: String,
        /// The cause.
        source: tokio_postgres::Error,
    },
    /// The database does not answer.
    #[error("the log {place} does not answer within {} seconds", after.as_secs())]
    NoAnswer {
        /// The log and the servers.
        place: String,
        /// How long it had to answer.
        after: Duration,
    },
    /// A commit was not confirmed by a standby.
    #[error("the log {0} did not wait for a standby: the wait was canceled")]
    NotReplicated(String),
    /// A session could not be opened a moment ago.
    #[error("cannot use the log {place}: {cause}")]
    Failed {
        /// The log and the servers.
        place: String,
        /// The cause.
        cause: String,
    },
    /// The log does not exist.
    #[error(
        "there is no log {0}; create it with userpool log init, or move one there with userpool \
         log import, or choose another --log-name"
    )]
    Missing(String),
    /// The table of checkpoints is missing, as in a database that was created before checkpoints
    /// were shared, or the role may not use it. Nothing was written.
    #[error(
        "the table of checkpoints of the log {0} is missing, or this role may not use it: run \
         userpool log init as the owner of the database, and grant the rights that it prints"
    )]
    CheckpointTable(String),
    /// The log exists already.
    #[error("there is a log {0} already; choose another --log-name")]
    Exists(String),
    /// The log has another region or key than it would get.
    #[error("the log {place} exists, but {problem}")]
    Different {
        /// The log and the servers.
        place: String,
        /// How it is different.
        problem: String,
    },
    /// The log has a form that this version does not know.
    #[error("the log {0} was written by a newer version; use that version, or a newer one")]
    Newer(String),
    /// A server that runs cannot read the newest form of records.
    #[error(
        "these servers of the log {place} cannot read the newest form: {names}; upgrade or stop them \
         first"
    )]
    OldReplicas {
        /// The log and the servers.
        place: String,
        /// The servers, with their versions.
        names: String,
    },
    /// The database may lose what it has acknowledged.
    #[error(
        "the database of the log {place} may lose acknowledged records: {problems}; or set \
         --database-durability managed if the storage below it is replicated"
    )]
    NotDurable {
        /// The log and the servers.
        place: String,
        /// What must be changed.
        problems: DurabilityProblems,
    },
    /// The database is a primary that was replaced.
    #[error(
        "the log {place} is on timeline {found}, but timeline {known} was seen before: this is a \
         former primary, or was restored from a backup; connect to the current primary"
    )]
    FormerPrimary {
        /// The log and the servers.
        place: String,
        /// Its timeline.
        found: u32,
        /// The newest timeline.
        known: u32,
    },
    /// The log shows less than it did. A new session decides whether that is a fork.
    #[error("the log {0} shows an older state than before; it is read again")]
    Stale(String),
    /// The file with the newest timeline cannot be read.
    #[error("cannot read {}; check the disk, the owner and the permissions", path.display())]
    Timeline {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The log has lost or replaced records.
    #[error(transparent)]
    Forked(#[from] Fork),
    /// A record cannot be imported.
    #[error("the record for position {position} does not continue the log {place}")]
    Import {
        /// The log and the servers.
        place: String,
        /// The position that it would have.
        position: Position,
        /// What is wrong with it.
        source: Defect,
    },
}

impl From<PostgresError> for ReadError {
    fn from(error: PostgresError) -> Self {
        if let PostgresError::Forked(fork) = error {
            Self::Forked(fork)
        } else {
            Self::Unavailable(error.into())
        }
    }
}

/// The append failed without writing anything.
impl From<PostgresError> for AppendError {
    fn from(error: PostgresError) -> Self {
        if let PostgresError::Forked(fork) = error {
            Self::Forked(fork)
        } else {
            Self::NotAppended(error.into())
        }
    }
}

/// Whether a table is missing.
pub(super) fn said_undefined(error: &tokio_postgres::Error) -> bool {
    said(error) == Some(&SqlState::UNDEFINED_TABLE)
}

/// What the database says of a statement that failed, if it said anything.
pub(super) fn said(error: &tokio_postgres::Error) -> Option<&SqlState> {
    error.as_db_error().map(DbError::code)
}
