//! Why the read model cannot be used.

use std::io::{self, ErrorKind};

use crate::{
    app::stored::FORM,
    event_log::{BoxError, Position},
    user_pool::Contradiction,
};

/// The read model cannot be read or written, or is not what was written. It is rebuilt at
/// the next start.
#[derive(Debug, thiserror::Error)]
pub enum ReadModelError {
    /// The store failed, or found damage.
    #[error("cannot read or write the read model")]
    Engine(#[source] BoxError),
    /// What the store returns is not what was written.
    #[error("the read model is damaged")]
    Damaged(#[from] Damage),
}

/// What is wrong with a read model.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// A value cannot be decoded.
    #[error("a value cannot be decoded")]
    Undecodable(#[from] prost::DecodeError),
    /// There is no checkpoint: it was not built to the end.
    #[error("it was not built to the end")]
    Unfinished,
    /// Another version wrote it.
    #[error("it has form {0}; this version reads form {FORM}")]
    OtherForm(u32),
    /// An earlier process found damage.
    #[error("an earlier process found damage in it")]
    Reported,
    /// The state that was written with the checkpoint is missing.
    #[error("its states are older than its index")]
    OldStates,
    /// Entries or rows are missing, or are not those of the checkpoint.
    #[error(
        "the digest of its contents is {found:016x}, and that of its checkpoint {expected:016x}"
    )]
    Digest {
        /// The digest of the contents.
        found: u64,
        /// The digest of the checkpoint.
        expected: u64,
    },
    /// A full tile of the Merkle tree is missing or damaged.
    #[error("tile {index} of level {level} of its Merkle tree is missing or damaged")]
    Tile {
        /// The level.
        level: u32,
        /// The index in the level.
        index: u64,
    },
    /// The root of the Merkle tree is not that of the records.
    #[error("the root of its Merkle tree at position {size} is not that of the log")]
    Root {
        /// How many records the tree has.
        size: u64,
    },
    /// A state is missing, or is not the one that was written.
    #[error(
        "the state of the user pool that was created at position {created} is not the last one"
    )]
    State {
        /// The position of its creation.
        created: u64,
    },
    /// A row that follows from a state is missing.
    #[error("a row of the user pool that was created at position {created} is missing")]
    Row {
        /// The position of its creation.
        created: u64,
    },
    /// The counts are not those of the events.
    #[error("{sum} events are counted, and there are {most}")]
    Counts {
        /// The sum of all counts.
        sum: u64,
        /// How many events there are.
        most: u64,
    },
}

impl From<prost::DecodeError> for ReadModelError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Damaged(error.into())
    }
}

impl ReadModelError {
    /// Whether the disk refuses access, so that nothing is known about the contents.
    pub(in crate::app) fn is_no_access(&self) -> bool {
        let Self::Engine(error) = self else { return false };
        error.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::StorageFull
            )
        })
    }
}

/// Why an event cannot be projected.
#[derive(Debug, thiserror::Error)]
pub(in crate::app) enum ProjectError {
    /// The read model.
    #[error(transparent)]
    ReadModel(#[from] ReadModelError),
    /// No command could have recorded the event after those that were projected.
    #[error("the event at position {position} contradicts the events before it")]
    Contradiction {
        /// The position of the event.
        position: Position,
        /// What is wrong with it.
        source: Contradiction,
    },
}
