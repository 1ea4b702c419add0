//! The log in a sled database: `DIR/records`, with the acknowledged head in `DIR/head`.
//!
//! One tree has the records in compressed packs. sled guarantees less than a log needs, so
//! this engine adds the rest: it syncs what `flush` leaves in the page cache, detects what
//! `open` drops without an error, splits large values, which sled would store in separate
//! files, and turns the panics of sled into errors.

#![expect(
    clippy::disallowed_methods,
    reason = "the engine waits for real disks on threads of its own; a simulation replaces it"
)]

mod entries;
mod errors;
mod files;
mod open;
mod packs;
mod scratch_copy;
mod tail;

use std::{
    collections::HashSet,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use sled::Db;
use tokio::{sync::watch, task, time};

use crate::telemetry::metrics::LogMetrics;

pub(crate) use self::files::DbHandle;
use self::{entries::Entry, errors::parse, files::sync_blobs};
use super::{
    AppendError, BoxError, Defect, EventLog, Head, Position, ReadError, ReadLimit, Record,
    head_file::HeadFile,
};

/// How long an append may take. After a failed write, sled sometimes hangs.
const APPEND_TIMEOUT: Duration = Duration::from_secs(20);

/// What to do about a lost or damaged log.
const REMEDY: &str = "restore it from a backup, or from an export of it with userpool log import";

/// A log in a sled database.
#[derive(Debug, Clone)]
pub struct SledLog(Arc<Engine>);

/// What [`SledLog::is_end_unknown`] means, as a sentence.
pub(crate) const END_UNKNOWN: &str = "the record of the last acknowledged position is missing or \
    damaged: if the end of the log was lost, nothing shows it; it is written again";

/// Why a log cannot be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file of the log cannot be created, read or synced.
    #[error("cannot use {}; check the disk, the owner and the permissions", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("cannot open the log in {}: another process holds its lock; stop that process first", .0.display())]
    InUse(PathBuf),
    /// sled cannot open the database: it is damaged.
    #[error("sled cannot open the log in {}; {REMEDY}", path.display())]
    Engine {
        /// The directory of the database.
        path: PathBuf,
        /// The error of sled.
        source: BoxError,
    },
    /// A record near the end differs from what was written.
    #[error("the log in {} cannot be trusted; {REMEDY}", path.display())]
    Damaged {
        /// The directory of the database.
        path: PathBuf,
        /// The position and the defect.
        source: ReadError,
    },
    /// Acknowledged records at the end are missing.
    #[error(
        "the log in {} ends at position {found}, but position {acknowledged} was acknowledged; \
         {REMEDY}",
        path.display()
    )]
    TailLost {
        /// The directory of the database.
        path: PathBuf,
        /// The last position of the log.
        found: Position,
        /// The last acknowledged position.
        acknowledged: Position,
    },
}

impl OpenError {
    /// Whether the log itself is damaged, and not only inaccessible.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Engine { .. } | Self::Damaged { .. } | Self::TailLost { .. } => true,
            Self::Io { .. } | Self::InUse(_) => false,
        }
    }
}

/// Why records cannot be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A record does not continue the log.
    #[error("the record for position {position} does not continue the log")]
    Defect {
        /// The position that it would have.
        position: Position,
        /// What is wrong with the record.
        #[source]
        source: Defect,
    },
    /// The append failed.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl SledLog {
    /// Opens the log in `directory`, creating it if it is missing, and checks its end.
    /// Blocks while sled recovers. Appending needs a runtime with a timer.
    ///
    /// # Errors
    /// See [`OpenError`]. A damaged log is not changed.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_with_metrics(directory, LogMetrics::default())
    }

    /// Like [`open`](Self::open), and records metrics.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with_metrics(directory: &Path, metrics: LogMetrics) -> Result<Self, OpenError> {
        Engine::open(directory, metrics).map(|engine| Self(Arc::new(engine)))
    }

    /// Whether the record of the last acknowledged position was missing or damaged when the log was
    /// opened, so that nothing shows whether the log has lost its end. Opening writes it again.
    #[must_use]
    pub fn is_end_unknown(&self) -> bool {
        self.0.is_end_unknown
    }

    /// Appends the records of another log unchanged, and makes them durable. `records`
    /// may end inside a batch.
    ///
    /// # Errors
    /// [`RestoreError::Defect`]: nothing was written. [`RestoreError::Append`]: as
    /// for [`append`](EventLog::append).
    pub fn restore(&self, records: &[Record]) -> Result<(), RestoreError> {
        self.0.restore(records)
    }

    /// Runs `work` on a thread that may block. A panic in sled becomes an error.
    async fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, BoxError> {
        let engine = Arc::clone(&self.0);
        task::spawn_blocking(move || work(&engine)).await.map_err(BoxError::from)
    }
}

#[async_trait]
impl EventLog for SledLog {
    fn engine(&self) -> &'static str {
        "sled"
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.0.head.subscribe()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let appended = self.run_blocking(move |engine| engine.append(expected, bodies));
        let Ok(appended) = time::timeout(APPEND_TIMEOUT, appended).await else {
            self.0.metrics.count_append_failure();
            let path = self.0.path.display();
            let cause =
                format!("{path}: no answer from sled within {} seconds", APPEND_TIMEOUT.as_secs());
            return Err(AppendError::Unknown(cause.into()));
        };
        appended.map_err(AppendError::Unknown)?
    }

    /// The database is locked while it is open.
    fn is_shared(&self) -> bool {
        false
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let read = self.run_blocking(move |engine| engine.read(after, limit)).await;
        read.map_err(ReadError::Unavailable)?
    }

    async fn read_at(
        &self,
        positions: Vec<Position>,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        let read = self.run_blocking(move |engine| engine.read_at(&positions, limit)).await;
        read.map_err(ReadError::Unavailable)?
    }
}

/// The fields drop in this order: the database first, then the handle that waits until
/// it is closed.
#[derive(Debug)]
struct Engine {
    db: Db,
    handle: DbHandle,
    /// The directory of the database.
    path: PathBuf,
    /// Whether the record of the last acknowledged position was missing or damaged.
    is_end_unknown: bool,
    state: Mutex<AppendState>,
    head: watch::Sender<Head>,
    metrics: LogMetrics,
}

#[derive(Debug)]
struct AppendState {
    head_file: HeadFile,
    synced_blobs: HashSet<OsString>,
    /// After a failed sync, a later sync that succeeds proves nothing.
    failed: bool,
}

impl Engine {
    fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let mut state = self.state();
        let actual = *self.head.borrow();
        if actual != expected {
            return Err(AppendError::Conflict { expected, actual });
        }
        let records = Record::chain(actual, bodies);
        self.commit(&records, &mut state)?;
        Ok(records)
    }

    fn restore(&self, records: &[Record]) -> Result<(), RestoreError> {
        let mut state = self.state();
        let mut head = *self.head.borrow();
        for record in records {
            let position = head.position.next();
            let defect = |source| RestoreError::Defect { position, source };
            record.check_follows(head).map_err(defect)?;
            head = record.head();
        }
        Ok(self.commit(records, &mut state)?)
    }

    fn commit(&self, records: &[Record], state: &mut AppendState) -> Result<(), AppendError> {
        if state.failed {
            let cause = "an earlier sync failed, so the state of the disk is unknown";
            return Err(AppendError::Unknown(cause.into()));
        }
        let Some(last) = records.last().map(Record::head) else { return Ok(()) };
        let start = Instant::now();

        // The log counts as failed until the sync succeeds, so that an early return or
        // a panic rejects the next batch.
        state.failed = true;
        self.make_durable(records, &mut state.synced_blobs).map_err(|cause| {
            self.metrics.count_append_failure();
            AppendError::Unknown(format!("{}: {cause}", self.path.display()).into())
        })?;
        state.failed = false;
        self.metrics.record_append(records.len(), start.elapsed());

        if let Err(error) = state.head_file.record(last) {
            tracing::warn!(%error, "cannot record the acknowledged head");
        }
        self.head.send_replace(last);
        Ok(())
    }

    fn make_durable(
        &self,
        records: &[Record],
        synced_blobs: &mut HashSet<OsString>,
    ) -> Result<(), BoxError> {
        // Not as a sled batch, which costs a second write. After a crash, sled has a prefix of
        // these inserts, and opening the log removes an incomplete batch.
        for (key, value) in entries::of(records) {
            self.db.insert(key, value)?;
        }
        let written = Instant::now();
        self.db.flush()?;
        sync_blobs(&self.path.join("blobs"), synced_blobs)?;
        self.handle.sync_data()?;
        self.metrics.record_sync(written.elapsed());
        Ok(())
    }

    fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        // sled may hold records after the head, but they are not durable yet.
        let end = self.head.borrow().position;
        let mut records: Vec<Record> = Vec::new();
        let mut left = limit;
        for stored in entries::records(&self.db, after.next(), end) {
            let (position, stored) = stored?;
            if !left.admits(records.len(), stored.len()) {
                break;
            }
            let previous = records.last().map(|record| record.hash);
            records.push(parse(position, stored, previous)?);
        }
        Ok(records)
    }

    fn read_at(&self, positions: &[Position], limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let end = self.head.borrow().position;
        let mut records: Vec<Record> = Vec::new();
        let mut left = limit;
        let mut entry: Option<Entry> = None;
        for &position in positions {
            if entry.as_ref().is_none_or(|entry| entry.get(position).is_none()) {
                let found = entries::containing(&self.db, position);
                entry = found.map_err(|error| error.at(position))?;
            }
            let stored = entry.as_ref().and_then(|entry| entry.get(position)).cloned();
            let missing = ReadError::Damaged { position, defect: Defect::Missing };
            let stored = stored.filter(|_| position <= end).ok_or(missing)?;
            if !left.admits(records.len(), stored.len()) {
                break;
            }
            records.push(parse(position, stored, None)?);
        }
        Ok(records)
    }

    fn state(&self) -> MutexGuard<'_, AppendState> {
        // A panic under the lock leaves `failed` set.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.state().head_file.sync() {
            tracing::warn!(%error, "cannot sync the acknowledged head");
        }
    }
}
