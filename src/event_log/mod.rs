//! An ordered log of opaque records, chained by their hashes, and the engines
//! that keep it. Knows nothing of user pools, messages or gRPC.

mod fork;
mod hash;
mod head_file;
mod log_id;
mod memory;
mod position;
mod postgres;
mod record;
mod sled;

use std::{error::Error, fmt, future::pending, time::SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::watch, time::Instant};

pub(crate) use self::head_file::HeadFile;
pub(crate) use self::sled::END_UNKNOWN;
pub use self::{
    fork::Fork,
    hash::{Hash, ParseHashError},
    log_id::{LogId, ParseLogIdError},
    memory::MemoryLog,
    position::{Head, ParseHeadError, Position},
    postgres::{
        DatabaseTls, Durability, DurabilityProblems, LogName, LogNameError, LogRow, LogUrl,
        PostgresCheckpoints, PostgresError, PostgresImport, PostgresLog, PostgresSettings,
        PostgresSettingsError, Replica, StoredCheckpoint, create_log, replicas, upgrade_log,
    },
    record::{BatchPlace, Defect, Record},
    sled::{OpenError, RestoreError, SledLog},
};

/// The engine's error. It is for logs, not for clients.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// How much one read returns: up to the limit that is reached first, but at least one
/// record.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimit {
    /// At most this many records.
    pub records: usize,
    /// At most this many bytes of stored records.
    pub bytes: usize,
}

impl ReadLimit {
    /// How much of a whole log is read at a time.
    pub const PAGE: Self = Self { records: 1024, bytes: 4 * 1024 * 1024 };

    /// Counts one more record of this many bytes. Returns `false` if the limit does not
    /// admit it; the first record (`read` is 0) is always admitted.
    fn admits(&mut self, read: usize, bytes: usize) -> bool {
        let fits = self.records > 0 && self.bytes >= bytes;
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        fits || read == 0
    }
}

/// A log of records with dense positions. It is appended to in batches and never changed.
#[async_trait]
pub trait EventLog: Send + Sync + fmt::Debug + 'static {
    /// A receiver of the end of the log, which moves only after the appended records are
    /// durable.
    fn head(&self) -> watch::Receiver<Head>;

    /// The name of the log engine.
    fn engine(&self) -> &'static str {
        "other"
    }

    /// The current end of the log. It includes every record that any process acknowledged
    /// before the call.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] may be temporary.
    async fn latest(&self) -> Result<Head, ReadError> {
        Ok(*self.head().borrow())
    }

    /// Appends `bodies` as one batch if the log ends at `expected`, and makes them
    /// durable: all of them or none.
    ///
    /// Returns the records as they are stored. An empty batch changes nothing.
    ///
    /// # Errors
    /// [`AppendError::Conflict`], [`AppendError::NotAppended`] and [`AppendError::Forked`]:
    /// nothing was written.
    /// [`AppendError::Unknown`]: the batch may or may not have been written. The log
    /// accepts no further batch, unless [`can_append_again`](Self::can_append_again).
    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError>;

    /// Whether other writers may append to the log, so that an append can be in conflict.
    fn is_shared(&self) -> bool {
        true
    }

    /// Waits until it is the turn of this writer to append, if the writers of the log take
    /// turns. The turn ends with the next append, with [`end_turn`](Self::end_turn), or when
    /// the log gives it to another writer because this one is slow.
    ///
    /// An append without a turn is as safe, but more often in conflict.
    ///
    /// # Errors
    /// As for [`append`](Self::append), without a conflict.
    async fn turn(&self) -> Result<Turn, AppendError> {
        match self.latest().await {
            Ok(head) => Ok(Turn { head, now: None }),
            Err(ReadError::Forked(fork)) => Err(AppendError::Forked(fork)),
            Err(error @ (ReadError::Unavailable(_) | ReadError::Damaged { .. })) => {
                Err(AppendError::NotAppended(error.into()))
            }
        }
    }

    /// Gives a turn back that is not used.
    async fn end_turn(&self) {}

    /// The current end of the log, once every record up to there is as durable as one that was
    /// acknowledged. It includes every record that any process acknowledged before the call,
    /// also while two copies of the log accept appends, unless both can make them durable.
    ///
    /// The default is for an engine that shows only durable records of one copy.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] may be temporary.
    async fn durable_head(&self) -> Result<Head, ReadError> {
        self.latest().await
    }

    /// The record after a position, once it is as durable as one that was acknowledged; `None`
    /// if the log ends at the position.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    async fn durable_record(&self, after: Position) -> Result<Option<Record>, ReadError> {
        Ok(self.read(after, ReadLimit { records: 1, bytes: 0 }).await?.into_iter().next())
    }

    /// Waits until the log is found to have lost or replaced records. The default waits forever,
    /// because an engine in this process finds that when it opens the log.
    async fn forked(&self) -> Fork {
        pending().await
    }

    /// Says how far this process has applied the log, for those who look at all of its servers.
    fn set_applied(&self, _position: Position) {}

    /// When a remote engine last answered; `None` if the engine is in this process.
    fn last_contact(&self) -> Option<Instant> {
        None
    }

    /// Whether the log can be used after [`AppendError::Unknown`].
    ///
    /// If so, the caller resolves the outcome: it reads the record after `expected`, and
    /// while there is none, it appends the same bodies at the same head again. Then either
    /// the batch is written exactly once, however many of these appends arrive, or another
    /// writer was first.
    fn can_append_again(&self) -> bool {
        false
    }

    /// The records after `after`, in order, checked one by one and against each
    /// other. Empty at the end of the log.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] names the first position that is not as it was
    /// written; [`ReadError::Unavailable`] may be temporary.
    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError>;

    /// The records at `positions`, in that order, each checked by itself: as many
    /// as the limit allows, but at least one.
    ///
    /// # Errors
    /// As for [`read`](Self::read). A position past the end is
    /// [`Defect::Missing`].
    async fn read_at(
        &self,
        positions: Vec<Position>,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        let mut records: Vec<Record> = Vec::new();
        let mut left = limit;
        for position in positions {
            let before = Position(position.0.saturating_sub(1));
            let read = self.read(before, ReadLimit { records: 1, bytes: 0 }).await?;
            let missing = ReadError::Damaged { position, defect: Defect::Missing };
            let record = read.into_iter().next().ok_or(missing)?;
            if !left.admits(records.len(), record.stored.len()) {
                break;
            }
            records.push(record);
        }
        Ok(records)
    }
}

/// The turn of a writer to append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The end of the log.
    pub head: Head,
    /// The time of a clock that all writers of the log share, if there is one.
    pub now: Option<SystemTime>,
}

/// Why an append was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The log does not end at the expected head: another writer was first. Nothing was
    /// written; read on and try again.
    #[error("the log ends at {actual}, not at {expected}")]
    Conflict {
        /// The head that the caller expected.
        expected: Head,
        /// The head of the log.
        actual: Head,
    },
    /// The engine cannot be used now. Nothing was written, and trying again may help.
    #[error("the log engine is unavailable; nothing was written")]
    NotAppended(#[source] BoxError),
    /// The engine failed. The batch may or may not have been written.
    #[error("the log engine failed; the batch may or may not have been written")]
    Unknown(#[source] BoxError),
    /// The log has lost or replaced records. Nothing was written.
    #[error(transparent)]
    Forked(Fork),
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A record is not as it was written. Reading again will not help.
    #[error("the log is damaged at position {position}")]
    Damaged {
        /// The first position that is wrong.
        position: Position,
        /// What is wrong there.
        #[source]
        defect: Defect,
    },
    /// The engine failed. Reading again may help.
    #[error("the log engine is unavailable")]
    Unavailable(#[source] BoxError),
    /// The log has lost or replaced records. Reading again will not help.
    #[error(transparent)]
    Forked(Fork),
}
