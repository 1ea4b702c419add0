//! sled's files, and what sled leaves undone with them.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use sled::Db;

use crate::fs::sync_directory;

/// How long sled may take to close a database.
const CLOSE: Duration = Duration::from_secs(10);
/// How often, and how long apart, a closed database is asked whether it is free.
const RELEASE_TRIES: usize = 1000;
const RELEASE_PAUSE: Duration = Duration::from_millis(1);

/// sled's own file, opened a second time: `flush` leaves what it wrote in the
/// disk's cache, and the file's new size in the kernel's.
///
/// Has the last handle of the database, so it is dropped after the others.
#[derive(Debug)]
pub(crate) struct DbFile {
    last: Option<Db>,
    file: File,
}

impl DbFile {
    pub(crate) fn new(db: &Db, file: File) -> Self {
        Self { last: Some(db.clone()), file }
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Drop for DbFile {
    /// sled's threads let go of a database a moment after its last handle; whoever
    /// opens it next must not find it held.
    fn drop(&mut self) {
        // Where a write has failed, sled panics while it closes, or waits for ever.
        let last = self.last.take();
        let (working, ended) = mpsc::channel::<()>();
        let close = move || {
            drop(last);
            drop(working);
        };
        let closer = thread::Builder::new().name("closer".to_owned()).spawn(close);
        if closer.is_ok() && ended.recv_timeout(CLOSE) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("a database does not close; it is left to the end of the process");
            return;
        }
        if !is_released(&self.file) {
            tracing::warn!("sled still holds a database that was closed");
        }
    }
}

/// Waits until nobody holds a database that was closed, for a while.
pub(super) fn is_released(file: &File) -> bool {
    for _ in 0..RELEASE_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(RELEASE_PAUSE),
            Ok(()) | Err(TryLockError::Error(_)) => return true,
        }
    }
    false
}

/// Whether somebody has the database in `path` open, as far as its lock tells.
pub(super) fn is_held(path: &Path) -> io::Result<bool> {
    match File::open(path.join("db")) {
        Ok(file) => Ok(!is_released(&file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// sled leaves these behind when it dies while it writes one, and trips over
/// them later.
pub(super) fn remove_unfinished_snapshots(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Syncs what sled put beside its file since `synced`.
pub(super) fn sync_blobs(path: &Path, synced: &mut HashSet<OsString>) -> io::Result<()> {
    let mut found = HashSet::new();
    let mut new = false;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        if !synced.contains(&name) {
            File::open(entry.path())?.sync_all()?;
            new = true;
        }
        found.insert(name);
    }
    *synced = found;
    if new { sync_directory(path) } else { Ok(()) }
}
