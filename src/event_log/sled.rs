//! The log in a sled database: `DIR/records`, with `DIR/head` as its witness.
//!
//! One tree: position (8 bytes, big-endian) → stored record. sled's own promises
//! are weaker than ours, so this file adds to them: what `flush` leaves in the
//! page cache is synced, what `open` drops in silence is noticed, and what sled
//! answers with a panic becomes an error.

mod files;
mod tail;

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, File},
    io,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use sled::{Db, IVec};
use tokio::{sync::watch, task};

pub(crate) use self::files::DbFile;
use self::files::{remove_unfinished_snapshots, sync_blobs, sync_directory};
use super::{
    AppendError, BoxError, Defect, EventLog, Hash, Head, Position, ReadError, ReadLimit, Record,
    witness::Witness,
};

/// How much of the log sled keeps in memory, in bytes. Appending and following
/// need the end of it alone.
const CACHE: u64 = 64 * 1024 * 1024;

/// A log in a sled database.
#[derive(Debug, Clone)]
pub struct SledLog(Arc<Engine>);

/// Why a log could not be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file of the log cannot be created, read or synced.
    #[error("{} cannot be used", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// sled refuses the database, or gave up on it: it is damaged, or in use.
    #[error("sled cannot open the log in {}", path.display())]
    Engine {
        /// The directory of the database.
        path: PathBuf,
        /// What sled says.
        source: BoxError,
    },
    /// A record near the end is not as it was written.
    #[error("the log in {} cannot be trusted", path.display())]
    Damaged {
        /// The directory of the database.
        path: PathBuf,
        /// Where and why.
        source: ReadError,
    },
    /// Acknowledged records are missing at the end.
    #[error(
        "the log in {} ends at position {found}, but position {acknowledged} was acknowledged",
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
    /// its end. Blocks while sled recovers.
    ///
    /// # Errors
    /// See [`OpenError`]. A log that cannot be trusted is not touched.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        Engine::open(directory).map(|engine| Self(Arc::new(engine)))
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

#[tonic::async_trait]
impl EventLog for SledLog {
    fn head(&self) -> watch::Receiver<Head> {
        self.0.head.subscribe()
    }

    async fn append(
        &self,
        expected: Position,
        bodies: Vec<Bytes>,
    ) -> Result<Vec<Record>, AppendError> {
        let appended = self.blocking(move |engine| engine.append(expected, bodies)).await;
        appended.map_err(AppendError::Unavailable)?
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
    /// Where sled puts what is too large for its file, and never syncs it.
    blobs: PathBuf,
    writer: Mutex<Writer>,
    head: watch::Sender<Head>,
}

#[derive(Debug)]
struct Writer {
    witness: Witness,
    synced_blobs: HashSet<OsString>,
    /// A sync that failed once proves nothing when it succeeds later.
    failed: bool,
}

impl Engine {
    fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("records");
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        fs::create_dir_all(&path).map_err(unusable(&path))?;
        remove_unfinished_snapshots(&path).map_err(unusable(&path))?;
        let noted = directory.join("head");
        let (mut witness, acknowledged) = Witness::open(&noted).map_err(unusable(&noted))?;

        // Opening is where damage makes sled panic.
        let config = sled::Config::new().path(&path).cache_capacity(CACHE).flush_every_ms(None);
        let open = || config.open();
        let engine = |source| OpenError::Engine { path: path.clone(), source };
        let db = panic::catch_unwind(AssertUnwindSafe(open))
            .map_err(|_| engine("sled panicked".into()))?
            .map_err(|error| engine(error.into()))?;
        let (file, blobs) = (path.join("db"), path.join("blobs"));
        let file = File::open(&file).map_err(unusable(&file))?;

        let checked = panic::catch_unwind(AssertUnwindSafe(|| tail::check(&db, acknowledged)))
            .map_err(|_| engine("sled panicked".into()))?;
        let damaged = |source| OpenError::Damaged { path: path.clone(), source };
        let head = checked.map_err(damaged)?;
        if head.position < acknowledged.position {
            let (found, acknowledged) = (head.position, acknowledged.position);
            return Err(OpenError::TailLost { path, found, acknowledged });
        }

        let mut synced_blobs = HashSet::new();
        sync_blobs(&blobs, &mut synced_blobs).map_err(unusable(&blobs))?;
        for directory in [&path, directory] {
            sync_directory(directory).map_err(unusable(directory))?;
        }
        witness.note(head).and_then(|()| witness.sync()).map_err(unusable(&noted))?;
        let file = DbFile::new(file);
        let writer = Mutex::new(Writer { witness, synced_blobs, failed: false });
        Ok(Self { db, file, blobs, writer, head: watch::Sender::new(head) })
    }

    fn append(&self, expected: Position, bodies: Vec<Bytes>) -> Result<Vec<Record>, AppendError> {
        let mut writer = self.writer();
        let head = *self.head.borrow();
        if head.position != expected {
            let actual = head.position;
            return Err(AppendError::WrongExpectedPosition { expected, actual });
        }
        let records = Record::chain(head, bodies);
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
            return Err(AppendError::Unavailable(cause.into()));
        }
        let Some(last) = records.last().map(Record::head) else { return Ok(()) };

        // Until the sync has succeeded, this log has failed: an early return or
        // a panic on the way must not let the next batch in.
        writer.failed = true;
        self.make_durable(records, &mut writer.synced_blobs).map_err(AppendError::Unavailable)?;
        writer.failed = false;

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
            batch.insert(&record.position.0.to_be_bytes(), record.stored.as_ref());
        }
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        sync_blobs(&self.blobs, synced_blobs)?;
        self.file.sync_data()?;
        Ok(())
    }

    fn read(&self, after: Position, limit: ReadLimit) -> Result<Vec<Record>, ReadError> {
        // What is past the head may be in sled, but it is not durable yet.
        let end = self.head.borrow().position;
        let mut records: Vec<Record> = Vec::new();
        let mut left = limit;
        let mut expected = after.next();
        for entry in self.db.range(key(expected)..=key(end)) {
            let (found, stored) = entry.map_err(|error| unreadable(expected, error))?;
            if !left.admits(records.len(), stored.len()) {
                return Ok(records);
            }
            let previous = records.last().map(|record| record.hash);
            let record = parse_entry(expected, &found, &stored, previous)?;
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
            let stored = self.db.get(key(position)).map_err(|error| unreadable(position, error))?;
            let stored = stored.filter(|_| position <= end).ok_or(missing)?;
            if !left.admits(records.len(), stored.len()) {
                break;
            }
            records.push(Record::parse_at(position, Bytes::copy_from_slice(&stored), None)?);
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

fn parse_entry(
    expected: Position,
    found: &IVec,
    stored: &IVec,
    previous: Option<Hash>,
) -> Result<Record, ReadError> {
    if **found != key(expected) {
        return Err(ReadError::Damaged { position: expected, defect: Defect::Missing });
    }
    Record::parse_at(expected, Bytes::copy_from_slice(stored), previous)
}

fn key(position: Position) -> [u8; 8] {
    position.0.to_be_bytes()
}

fn position_of(key: &IVec) -> Result<Position, ReadError> {
    let bytes = key.as_ref().try_into().map_err(unavailable)?;
    Ok(Position(u64::from_be_bytes(bytes)))
}

/// What sled says about the record at `position`.
fn unreadable(position: Position, error: sled::Error) -> ReadError {
    if matches!(error, sled::Error::Corruption { .. }) {
        return ReadError::Damaged { position, defect: Defect::Unreadable };
    }
    unavailable(error)
}

fn unavailable(error: impl Into<BoxError>) -> ReadError {
    ReadError::Unavailable(error.into())
}
