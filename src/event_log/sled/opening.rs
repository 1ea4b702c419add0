//! Opening a log: what a crash left is made durable before it is read, its end is
//! checked, and what is refused stays as it was found.

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
    event_log::{Head, Position, witness::Witness},
    fs::sync_all,
    telemetry::metrics::LogMetrics,
};

use super::{
    Engine, OpenError, Writer,
    files::{DbFile, is_held, remove_unfinished_snapshots, sync_blobs},
    system_error, tail,
    trial::Trial,
};

/// How much of the log sled keeps in memory, in bytes. Appending and following
/// need the end of it alone.
const CACHE: u64 = 64 * 1024 * 1024;

impl Engine {
    pub(super) fn open(directory: &Path, metrics: LogMetrics) -> Result<Self, OpenError> {
        let path = directory.join("records");
        fs::create_dir_all(directory).map_err(unusable(directory))?;
        let noted = directory.join("head");
        let (mut witness, acknowledged) = Witness::open(&noted).map_err(unusable(&noted))?;
        if is_held(&path).map_err(unusable(&path))? {
            return Err(OpenError::InUse(path));
        }
        if !path.join("db").exists() {
            if acknowledged.position > Position::START {
                // sled would make an empty one.
                return Err(tail_lost(&path, Position::START, acknowledged));
            }
            create_database(&path)?;
        }
        // What a killed process wrote may be in the kernel's cache alone. It is read
        // from here on, so it must stay.
        sync_all(&path).map_err(unusable(&path))?;
        if let Some(trial) = Trial::of(&path).map_err(unusable(&path))? {
            open_checked(trial.path(), &path, acknowledged)?;
        }
        let Checked { db, file, head } = open_checked(&path, &path, acknowledged)?;

        let blobs = path.join("blobs");
        let mut synced_blobs = HashSet::new();
        sync_blobs(&blobs, &mut synced_blobs).map_err(unusable(&blobs))?;
        witness.note(head).and_then(|()| witness.sync()).map_err(unusable(&noted))?;
        sync_all(directory).map_err(unusable(directory))?;
        let writer = Mutex::new(Writer { witness, synced_blobs, failed: false });
        Ok(Self { db, file, path, writer, head: watch::Sender::new(head), metrics })
    }
}

/// A database whose end is what was acknowledged. Dropped in this order.
struct Checked {
    db: Db,
    file: DbFile,
    head: Head,
}

/// Opens the database `at` a path, and checks its end. Errors name `path`.
fn open_checked(at: &Path, path: &Path, acknowledged: Head) -> Result<Checked, OpenError> {
    remove_unfinished_snapshots(at).map_err(unusable(path))?;
    let db = open_database(at, path)?;
    let file = File::open(at.join("db")).map_err(unusable(path))?;
    let file = DbFile::new(&db, file);
    let mut checked = Checked { db, file, head: Head::default() };

    let check = || tail::check(&checked.db, acknowledged);
    let panicked = |_| OpenError::Engine { path: path.to_owned(), source: PANICKED.into() };
    let found = panic::catch_unwind(AssertUnwindSafe(check)).map_err(panicked)?;
    let damaged = |source| OpenError::Damaged { path: path.to_owned(), source };
    checked.head = found.map_err(damaged)?;
    if checked.head.position < acknowledged.position {
        return Err(tail_lost(path, checked.head.position, acknowledged));
    }
    Ok(checked)
}

fn tail_lost(path: &Path, found: Position, acknowledged: Head) -> OpenError {
    OpenError::TailLost { path: path.to_owned(), found, acknowledged: acknowledged.position }
}

/// How often, and how long apart, a database that is locked is tried again.
const LOCK_TRIES: usize = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(2);
const PANICKED: &str = "sled panicked";

/// Opening is where damage makes sled panic.
fn open_database(at: &Path, path: &Path) -> Result<Db, OpenError> {
    let config = sled::Config::new().path(at).cache_capacity(CACHE).flush_every_ms(None);
    let engine = |source| OpenError::Engine { path: path.to_owned(), source };
    let open = || {
        for _ in 0..LOCK_TRIES {
            match config.open() {
                // A process that was just forked has the files of this one for a moment.
                Err(error) if is_locked(&error) => thread::sleep(LOCK_PAUSE),
                opened => return opened,
            }
        }
        config.open()
    };
    panic::catch_unwind(AssertUnwindSafe(open)).map_err(|_| engine(PANICKED.into()))?.map_err(
        |error| match system_error(error) {
            // What the system says is of the disk, and not of what is on it.
            Ok(error) => unusable(path)(error),
            Err(error) => engine(error.into()),
        },
    )
}

/// sled tells this from other trouble only in words.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// Whole or not at all: made beside, synced, and moved into place. sled syncs
/// nothing of a new database, and refuses one that a power cut has left in part.
fn create_database(path: &Path) -> Result<(), OpenError> {
    let beside = path.with_extension("new");
    // Without sled's file there is nothing in it that was ever acknowledged.
    for unfinished in [path, &beside] {
        if unfinished.exists() {
            fs::remove_dir_all(unfinished).map_err(unusable(unfinished))?;
        }
    }
    fs::create_dir(&beside).map_err(unusable(&beside))?;
    let db = open_database(&beside, path)?;
    let file = File::open(beside.join("db")).map_err(unusable(&beside))?;
    let file = DbFile::new(&db, file);
    drop((db, file));
    sync_all(&beside).map_err(unusable(&beside))?;
    fs::rename(&beside, path).map_err(unusable(path))
}

fn unusable(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}
