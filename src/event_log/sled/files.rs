//! The files of a sled database, and the syncs that sled omits.

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
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often, and at which interval, the lock of a closed database is tried.
const RELEASE_ATTEMPTS: usize = 1000;
const RELEASE_INTERVAL: Duration = Duration::from_millis(1);

/// The last handle of a sled database, and its file opened a second time.
///
/// Syncs the file, because sled's `flush` leaves what it wrote in the cache of the
/// disk, and the new size of the file in the cache of the kernel. Drop it after all
/// other handles: it waits until sled has closed the database.
#[derive(Debug)]
pub(crate) struct DbHandle {
    last: Option<Db>,
    file: File,
}

impl DbHandle {
    pub(crate) fn new(db: &Db, file: File) -> Self {
        Self { last: Some(db.clone()), file }
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Drop for DbHandle {
    /// sled's threads hold the lock for a moment after the last handle is dropped;
    /// the next one to open the database must find it free.
    fn drop(&mut self) {
        // After a failed write, sled can panic or hang while it closes.
        let last = self.last.take();
        let (closing, closed) = mpsc::channel::<()>();
        let close = move || {
            drop(last);
            drop(closing);
        };
        let thread = thread::Builder::new().name("closer".to_owned()).spawn(close);
        if thread.is_ok() && closed.recv_timeout(CLOSE_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("sled does not close a database; it stays open until the process ends");
            return;
        }
        if !wait_released(&self.file) {
            tracing::warn!("sled still holds the lock of a closed database");
        }
    }
}

/// Waits for the lock of a database, and returns whether it is free.
pub(super) fn wait_released(file: &File) -> bool {
    for _ in 0..RELEASE_ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(RELEASE_INTERVAL),
            Ok(()) => {
                // Closing the file is not enough: a child process that starts now has it open.
                let _ = file.unlock();
                return true;
            }
            Err(TryLockError::Error(_)) => return true,
        }
    }
    false
}

/// Whether another process, or this one, holds the lock of the database in `path`.
pub(super) fn is_locked(path: &Path) -> io::Result<bool> {
    match File::open(path.join("db")) {
        Ok(file) => Ok(!wait_released(&file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes incomplete snapshots. sled leaves one behind when the process dies while
/// it writes the snapshot, and fails on it later.
pub(super) fn remove_incomplete_snapshots(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Syncs the blob files that are not in `synced` yet, and updates it.
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
