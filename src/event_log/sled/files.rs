//! sled's files, and what sled leaves undone with them.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    path::Path,
    thread,
    time::Duration,
};

/// How often, and how long apart, a closed database is asked whether it is free.
const RELEASE_TRIES: usize = 1000;
const RELEASE_PAUSE: Duration = Duration::from_millis(1);

/// sled's own file, opened a second time: `flush` leaves what it wrote in the
/// disk's cache, and the file's new size in the kernel's.
#[derive(Debug)]
pub(crate) struct DbFile(File);

impl DbFile {
    pub(crate) const fn new(file: File) -> Self {
        Self(file)
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Drop for DbFile {
    /// sled's threads let go of a database a moment after its last handle; whoever
    /// opens it next must not find it held.
    fn drop(&mut self) {
        for _ in 0..RELEASE_TRIES {
            match self.0.try_lock() {
                Err(TryLockError::WouldBlock) => thread::sleep(RELEASE_PAUSE),
                Ok(()) | Err(TryLockError::Error(_)) => return,
            }
        }
        tracing::warn!("sled still holds a database that was closed");
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

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
