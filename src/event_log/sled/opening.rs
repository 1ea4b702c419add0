//! Opening a log: what a crash left is made durable before it is read, its end is
//! checked, and what is refused stays as it was found.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::Mutex,
};

use sled::Db;
use tokio::sync::watch;

use crate::event_log::{Head, Position, witness::Witness};

use super::{
    Engine, OpenError, Writer,
    before::Before,
    files::{DbFile, remove_unfinished_snapshots, sync_all, sync_blobs},
    system_error, tail,
};

/// How much of the log sled keeps in memory, in bytes. Appending and following
/// need the end of it alone.
const CACHE: u64 = 64 * 1024 * 1024;

impl Engine {
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join("records");
        fs::create_dir_all(directory).map_err(unusable(directory))?;
        let noted = directory.join("head");
        let (witness, acknowledged) = Witness::open(&noted).map_err(unusable(&noted))?;
        let before = Before::of(&path).map_err(unusable(&path))?;
        let Some(before) = before else { return Err(OpenError::InUse(path)) };
        let opened = Self::open_records(&path, witness, acknowledged).and_then(|engine| {
            let head = *engine.head.borrow();
            let noting = |witness: &mut Witness| {
                witness.note(head)?;
                witness.sync()
            };
            noting(&mut engine.writer().witness).map_err(unusable(&noted))?;
            sync_all(directory).map_err(unusable(directory))?;
            Ok(engine)
        });
        match opened {
            Ok(engine) => {
                before.forget().map_err(unusable(directory))?;
                Ok(engine)
            }
            Err(error) => {
                before.put_back();
                Err(error)
            }
        }
    }

    fn open_records(path: &Path, witness: Witness, acknowledged: Head) -> Result<Self, OpenError> {
        let tail_lost = |found| {
            let (path, acknowledged) = (path.to_owned(), acknowledged.position);
            Err(OpenError::TailLost { path, found, acknowledged })
        };
        let file = path.join("db");
        if !file.exists() {
            if acknowledged.position > Position::START {
                // sled would make an empty one.
                return tail_lost(Position::START);
            }
            create_database(path)?;
        }
        remove_unfinished_snapshots(path).map_err(unusable(path))?;
        // What a killed process wrote may be in the kernel's cache alone. It is read
        // from here on, so it must stay.
        sync_all(path).map_err(unusable(path))?;

        let db = open_database(path)?;
        let opened = File::open(&file).map_err(unusable(&file))?;
        let file = DbFile::new(&db, opened);
        // Dropped in this order, also where what follows fails.
        let database = (db, file);

        let check = || tail::check(&database.0, acknowledged);
        let panicked = |_| OpenError::Engine { path: path.to_owned(), source: PANICKED.into() };
        let checked = panic::catch_unwind(AssertUnwindSafe(check)).map_err(panicked)?;
        let damaged = |source| OpenError::Damaged { path: path.to_owned(), source };
        let head = checked.map_err(damaged)?;
        if head.position < acknowledged.position {
            return tail_lost(head.position);
        }

        let blobs = path.join("blobs");
        let mut synced_blobs = HashSet::new();
        sync_blobs(&blobs, &mut synced_blobs).map_err(unusable(&blobs))?;
        let path = path.to_owned();
        let (db, file) = database;
        let writer = Mutex::new(Writer { witness, synced_blobs, failed: false });
        Ok(Self { db, file, path, writer, head: watch::Sender::new(head) })
    }
}

const PANICKED: &str = "sled panicked";

/// Opening is where damage makes sled panic.
fn open_database(path: &Path) -> Result<Db, OpenError> {
    let config = sled::Config::new().path(path).cache_capacity(CACHE).flush_every_ms(None);
    let engine = |source| OpenError::Engine { path: path.to_owned(), source };
    panic::catch_unwind(AssertUnwindSafe(|| config.open()))
        .map_err(|_| engine(PANICKED.into()))?
        .map_err(|error| match system_error(error) {
            // What the system says is of the disk, and not of what is on it.
            Ok(error) => unusable(path)(error),
            Err(error) => engine(error.into()),
        })
}

/// Whole or not at all: made beside, synced, and moved into place. sled syncs
/// nothing of a new database, and refuses one that a power cut has left in part.
fn create_database(path: &Path) -> Result<(), OpenError> {
    let beside = path.with_extension("new");
    if beside.exists() {
        fs::remove_dir_all(&beside).map_err(unusable(&beside))?;
    }
    fs::create_dir(&beside).map_err(unusable(&beside))?;
    let db = open_database(&beside)?;
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
