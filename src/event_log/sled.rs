//! The log in a sled database: `DIR/records`, with `DIR/head` as its witness.
//!
//! One tree, which has the records in pieces. sled's own promises are weaker than
//! ours, so this room adds to them: what `flush` leaves in the page cache is synced,
//! what `open` drops in silence is noticed, what outgrows sled's file is cut up, and
//! what sled answers with a panic becomes an error.

#![expect(
    clippy::disallowed_methods,
    reason = "the engine waits for real disks on threads of its own; a simulation replaces it"
)]

mod files;
mod opening;
mod pieces;
mod tail;
mod trial;

use std::{
    collections::HashSet,
    ffi::OsString,
    io,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use sled::{Db, IVec};
use tokio::{sync::watch, task, time};

use crate::telemetry::metrics::LogMetrics;

pub(crate) use self::files::DbFile;
use self::files::sync_blobs;
use self::pieces::key;
use super::{
    AppendError, BoxError, Defect, EventLog, Hash, Head, Position, ReadError, ReadLimit, Record,
    witness::Witness,
};

/// How long a batch may take. After a failed write, sled at times waits for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// What helps where the log itself is lost or damaged.
const REMEDY: &str = "restore it from a backup, or from an export of it with userpool log import";

/// A log in a sled database.
#[derive(Debug, Clone)]
pub struct SledLog(Arc<Engine>);

/// Why a log could not be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file of the log cannot be created, read or synced.
    #[error("{} cannot be used; see to the disk, its owner and its permissions", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the log in {} is in use by another process; stop that one", .0.display())]
    InUse(PathBuf),
    /// sled refuses the database, or gave up on it: it is damaged.
    #[error("sled cannot open the log in {}; {REMEDY}", path.display())]
    Engine {
        /// The directory of the database.
        path: PathBuf,
        /// What sled says.
        source: BoxError,
    },
    /// A record near the end is not as it was written.
    #[error("the log in {} cannot be trusted; {REMEDY}", path.display())]
    Damaged {
        /// The directory of the database.
        path: PathBuf,
        /// Where and why.
        source: ReadError,
    },
    /// Acknowledged records are missing at the end.
    #[error(
        "the log in {} ends at position {found}, but position {acknowledged} was acknowledged; \
         {REMEDY}",
        path.display()
    )]
    TailLost {
        /// The directory of the database.
        path: PathBuf,
        /// Where the log ends.
        found: Position,
        /// Up to where it was acknowledged.
        acknowledged: Position,
    },
}

impl OpenError {
    /// Whether the log itself is wrong, and not what is around it.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::Engine { .. } | Self::Damaged { .. } | Self::TailLost { .. } => true,
            Self::Io { .. } | Self::InUse(_) => false,
        }
    }
}

/// Why records could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A record does not continue the log.
    #[error("the record for position {position} does not continue the log")]
    Defect {
        /// Where it would go.
        position: Position,
        /// What is wrong with it.
        #[source]
        source: Defect,
    },
    /// The log takes nothing.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl SledLog {
    /// Opens the log in `directory`, creating it where there is none, and checks
    /// its end. Blocks while sled recovers. Appending takes a runtime with a timer.
    ///
    /// # Errors
    /// See [`OpenError`]. A log that cannot be trusted is not touched.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_measured(directory, LogMetrics::default())
    }

    /// The same, with what it does counted in `metrics`.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_measured(directory: &Path, metrics: LogMetrics) -> Result<Self, OpenError> {
        Engine::open(directory, metrics).map(|engine| Self(Arc::new(engine)))
    }

    /// Appends records of another log as they are, and makes them durable. For a
    /// log that is restored: its batches need not end where this call's do.
    ///
    /// # Errors
    /// [`RestoreError::Defect`]: nothing was written. [`RestoreError::Append`]: as
    /// for [`append`](EventLog::append).
    pub fn restore(&self, records: &[Record]) -> Result<(), RestoreError> {
        self.0.restore(records)
    }

    /// Runs `work` where it may block. A panic in sled becomes an error.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, BoxError> {
        let engine = Arc::clone(&self.0);
        task::spawn_blocking(move || work(&engine)).await.map_err(BoxError::from)
    }
}

#[async_trait]
impl EventLog for SledLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.0.head.subscribe()
    }

    async fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let appended = self.blocking(move |engine| engine.append(expected, bodies));
        let Ok(appended) = time::timeout(PATIENCE, appended).await else {
            self.0.metrics.append_failed();
            let path = self.0.path.display();
            let cause = format!("{path}: no answer for {} seconds", PATIENCE.as_secs());
            return Err(AppendError::Unknown(cause.into()));
        };
        appended.map_err(AppendError::Unknown)?
    }

    async fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let read = self.blocking(move |engine| engine.read(after, limit)).await;
        read.map_err(ReadError::Unavailable)?
    }

    async fn read_at(
        &self,
        positions: Vec<Position>,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        let read = self.blocking(move |engine| engine.read_at(&positions, limit)).await;
        read.map_err(ReadError::Unavailable)?
    }
}

/// Dropped in this order: the database first, then the file that waits for it.
#[derive(Debug)]
struct Engine {
    db: Db,
    file: DbFile,
    /// The directory of the database.
    path: PathBuf,
    writer: Mutex<Writer>,
    head: watch::Sender<Head>,
    metrics: LogMetrics,
}

#[derive(Debug)]
struct Writer {
    witness: Witness,
    synced_blobs: HashSet<OsString>,
    /// A sync that failed once proves nothing when it succeeds later.
    failed: bool,
}

impl Engine {
    fn append(&self, expected: Head, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let mut writer = self.writer();
        let actual = *self.head.borrow();
        if actual != expected {
            return Err(AppendError::Conflict { expected, actual });
        }
        let records = Record::chain(actual, bodies);
        self.commit(&records, &mut writer)?;
        Ok(records)
    }

    fn restore(&self, records: &[Record]) -> Result<(), RestoreError> {
        let mut writer = self.writer();
        let mut head = *self.head.borrow();
        for record in records {
            let position = head.position.next();
            let defect = |source| RestoreError::Defect { position, source };
            record.follows(head).map_err(defect)?;
            head = record.head();
        }
        Ok(self.commit(records, &mut writer)?)
    }

    fn commit(&self, records: &[Record], writer: &mut Writer) -> Result<(), AppendError> {
        if writer.failed {
            let cause = "a sync failed before; whether it took effect cannot be known";
            return Err(AppendError::Unknown(cause.into()));
        }
        let Some(last) = records.last().map(Record::head) else { return Ok(()) };
        let begun = Instant::now();

        // Until the sync has succeeded, this log has failed: an early return or
        // a panic on the way must not let the next batch in.
        writer.failed = true;
        self.make_durable(records, &mut writer.synced_blobs).map_err(|cause| {
            self.metrics.append_failed();
            AppendError::Unknown(format!("{}: {cause}", self.path.display()).into())
        })?;
        writer.failed = false;
        self.metrics.appended(records.len(), begun.elapsed());

        if let Err(error) = writer.witness.note(last) {
            tracing::warn!(%error, "the acknowledged head could not be noted");
        }
        self.head.send_replace(last);
        Ok(())
    }

    fn make_durable(
        &self,
        records: &[Record],
        synced_blobs: &mut HashSet<OsString>,
    ) -> Result<(), BoxError> {
        let mut batch = sled::Batch::default();
        for record in records {
            pieces::insert(&mut batch, record);
        }
        self.db.apply_batch(batch)?;
        let written = Instant::now();
        self.db.flush()?;
        sync_blobs(&self.path.join("blobs"), synced_blobs)?;
        self.file.sync_data()?;
        self.metrics.synced(written.elapsed());
        Ok(())
    }

    fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        // What is past the head may be in sled, but it is not durable yet.
        let end = self.head.borrow().position;
        let mut records: Vec<Record> = Vec::new();
        let mut left = limit;
        let mut expected = after.next();
        let mut found = pieces::join(self.db.range(key(expected)..key(end.next())));
        while let Some(entry) = caught(expected, || found.next().transpose())? {
            let (found, stored) = entry;
            if !left.admits(records.len(), stored.len()) {
                return Ok(records);
            }
            let previous = records.last().map(|record| record.hash);
            let record = parse_entry(expected, &found, stored, previous)?;
            records.push(record);
            expected = expected.next();
        }
        if expected <= end {
            return Err(ReadError::Damaged { position: expected, defect: Defect::Missing });
        }
        Ok(records)
    }

    fn read_at(&self, positions: &[Position], limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        let end = self.head.borrow().position;
        let mut records: Vec<Record> = Vec::new();
        let mut left = limit;
        for &position in positions {
            let missing = ReadError::Damaged { position, defect: Defect::Missing };
            let entries = self.db.range(key(position)..key(position.next()));
            let found = caught(position, || pieces::join(entries).next().transpose())?;
            let (found, stored) = found.filter(|_| position <= end).ok_or(missing)?;
            if !left.admits(records.len(), stored.len()) {
                break;
            }
            records.push(parse_entry(position, &found, stored, None)?);
        }
        Ok(records)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic while it was held left `failed` set.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.writer().witness.sync() {
            tracing::warn!(%error, "the acknowledged head could not be synced");
        }
    }
}

/// What the system said to sled, or else what sled says.
fn system_error(error: sled::Error) -> Result<io::Error, sled::Error> {
    match error {
        sled::Error::Io(error) if error.raw_os_error().is_some() => Ok(error),
        sled::Error::Io(_)
        | sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::Corruption { .. } => Err(error),
    }
}

fn parse_entry(
    expected: Position,
    found: &IVec,
    stored: Bytes,
    previous: Option<Hash>,
) -> Result<Record, ReadError> {
    if **found != key(expected) {
        return Err(ReadError::Damaged { position: expected, defect: Defect::Missing });
    }
    Record::parse_at(expected, stored, previous)
}

/// The position of the record that the entry with this key is a piece of.
fn position_of(key: &IVec) -> Result<Position, ReadError> {
    let position = key.first_chunk().ok_or_else(|| unavailable("a key is no position"))?;
    Ok(Position(u64::from_be_bytes(*position)))
}

/// What sled reads at `position`. Damage is an error to it, a surprise, or a panic.
fn caught<T>(
    position: Position,
    read: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, ReadError> {
    panic::catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| ReadError::Damaged { position, defect: Defect::Unreadable })?
        .map_err(|error| unreadable(position, error))
}

/// What sled says about the record at `position`.
fn unreadable(position: Position, error: sled::Error) -> ReadError {
    match system_error(error) {
        Ok(error) => unavailable(error),
        Err(error) => {
            tracing::error!(%position, %error, "sled cannot read a record");
            ReadError::Damaged { position, defect: Defect::Unreadable }
        }
    }
}

fn unavailable(error: impl Into<BoxError>) -> ReadError {
    ReadError::Unavailable(error.into())
}
