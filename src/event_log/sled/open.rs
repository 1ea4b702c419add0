//! Opening a log: syncs what a crash left behind, then checks the end of the log. A
//! rejected database stays as it was found.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::Mutex,
    thread,
    time::Duration,
};

use sled::Db;
use tokio::sync::watch;

use crate::{
    event_log::{Head, Position, head_file::HeadFile},
    fs::sync_all,
    telemetry::metrics::LogMetrics,
};

use super::{
    AppendState, END_UNKNOWN, Engine, OpenError,
    errors::system_error,
    files::{DbHandle, is_locked, remove_incomplete_snapshots, sync_blobs},
    scratch_copy::ScratchCopy,
    tail,
};

/// How much of the log sled keeps in memory. Appending and following need only the end
/// of the log.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

impl Engine {
    pub(super) fn open(directory: &Path, metrics: LogMetrics) -> Result<Self, OpenError> {
        let path = directory.join("records");
        fs::create_dir_all(directory).map_err(unusable(directory))?;
        let head_path = directory.join("head");
        let (mut head_file, acknowledged) =
            HeadFile::open(&head_path).map_err(unusable(&head_path))?;
        if is_locked(&path).map_err(unusable(&path))? {
            return Err(OpenError::InUse(path));
        }
        if !path.join("db").exists() {
            if acknowledged.position > Position::START {
                // sled would create an empty database.
                return Err(tail_lost(&path, Position::START, acknowledged));
            }
            guard(&path, || create_database(&path))?;
        }
        // A killed process may have left writes in the cache of the kernel. Callers
        // can read them once the log is open, so they must be durable.
        sync_all(&path).map_err(unusable(&path))?;
        if let Some(copy) = ScratchCopy::of(&path).map_err(unusable(&path))? {
            guard(&path, || open_checked(copy.path(), &path, acknowledged).map(drop))?;
        }
        let open = || open_checked(&path, &path, acknowledged);
        let OpenDatabase { db, handle, head } = guard(&path, open)?;

        let is_end_unknown = acknowledged == Head::default() && head != acknowledged;
        if is_end_unknown {
            tracing::warn!(
                path = %head_path.display(),
                %head.position,
                "{END_UNKNOWN}"
            );
        }
        let blobs = path.join("blobs");
        let mut synced_blobs = HashSet::new();
        sync_blobs(&blobs, &mut synced_blobs).map_err(unusable(&blobs))?;
        head_file.record(head).and_then(|()| head_file.sync()).map_err(unusable(&head_path))?;
        sync_all(directory).map_err(unusable(directory))?;
        let state = Mutex::new(AppendState { head_file, synced_blobs, failed: false });
        let head = watch::Sender::new(head);
        Ok(Self { db, handle, path, is_end_unknown, state, head, metrics })
    }
}

/// A database that has every acknowledged record. The fields drop in this order.
struct OpenDatabase {
    db: Db,
    handle: DbHandle,
    head: Head,
}

/// Does something with a database. sled panics when it opens or reads some damaged ones, and when it
/// closes one on a disk that fails.
fn guard<T>(path: &Path, work: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let panicked = |_| Err(OpenError::Engine { path: path.to_owned(), source: PANICKED.into() });
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

/// Opens the database `at` a path, and checks its end. Errors name `path`.
fn open_checked(at: &Path, path: &Path, acknowledged: Head) -> Result<OpenDatabase, OpenError> {
    remove_incomplete_snapshots(at).map_err(unusable(path))?;
    let db = open_database(at, path)?;
    let file = File::open(at.join("db")).map_err(unusable(path))?;
    let handle = DbHandle::new(&db, file);
    let mut opened = OpenDatabase { db, handle, head: Head::default() };

    let damaged = |source| OpenError::Damaged { path: path.to_owned(), source };
    // By itself, so that the database is not closed by the panic.
    opened.head = guard(path, || tail::check(&opened.db, acknowledged).map_err(damaged))?;
    if opened.head.position < acknowledged.position {
        return Err(tail_lost(path, opened.head.position, acknowledged));
    }
    Ok(opened)
}

fn tail_lost(path: &Path, found: Position, acknowledged: Head) -> OpenError {
    OpenError::TailLost { path: path.to_owned(), found, acknowledged: acknowledged.position }
}

/// How often, and at which interval, a locked database is tried again.
const LOCK_ATTEMPTS: usize = 500;
const LOCK_INTERVAL: Duration = Duration::from_millis(2);
const PANICKED: &str = "sled panicked";

fn open_database(at: &Path, path: &Path) -> Result<Db, OpenError> {
    let config = sled::Config::new().path(at).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    let engine = |source| OpenError::Engine { path: path.to_owned(), source };
    let open = || {
        for _ in 0..LOCK_ATTEMPTS {
            match config.open() {
                // A newly forked process holds the files of its parent for a moment.
                Err(error) if is_lock_error(&error) => thread::sleep(LOCK_INTERVAL),
                opened => return opened,
            }
        }
        config.open()
    };
    open().map_err(|error| match system_error(error) {
        // An error of the system concerns the disk, not the database.
        Ok(error) => unusable(path)(error),
        Err(error) => engine(error.into()),
    })
}

/// Only its text distinguishes this error from other errors of sled.
fn is_lock_error(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// Creates a database atomically: under another name, synced, then renamed. sled syncs
/// nothing of a new database, and cannot open one that a power cut left incomplete.
fn create_database(path: &Path) -> Result<(), OpenError> {
    let new = path.with_extension("new");
    // Without the file of sled, the directory has no acknowledged record.
    for incomplete in [path, &new] {
        if incomplete.exists() {
            fs::remove_dir_all(incomplete).map_err(unusable(incomplete))?;
        }
    }
    fs::create_dir(&new).map_err(unusable(&new))?;
    let db = open_database(&new, path)?;
    let file = File::open(new.join("db")).map_err(unusable(&new))?;
    let handle = DbHandle::new(&db, file);
    drop((db, handle));
    sync_all(&new).map_err(unusable(&new))?;
    fs::rename(&new, path).map_err(unusable(path))
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}
