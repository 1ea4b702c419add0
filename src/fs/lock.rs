//! A file that one process at a time can lock.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

/// A locked file. Dropping it releases the lock.
///
/// Closing the file would not always do so: a child process that this one starts has the
/// file open, and so locked, until it executes its program.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// Locks the file, and creates it if it does not exist.
    pub(crate) fn try_new(path: &Path) -> Result<Self, TryLockError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(path);
        let file = file.map_err(TryLockError::Error)?;
        file.try_lock()?;
        Ok(Self(file))
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "a lock is released only when the process ends");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_lock_is_free_while_a_child_has_the_file_open() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("lock");
        let lock = FileLock::try_new(&path).expect("a lock");
        let of_the_child = lock.0.try_clone().expect("a copy");
        assert!(matches!(FileLock::try_new(&path), Err(TryLockError::WouldBlock)));
        drop(lock);
        let again = FileLock::try_new(&path).expect("the lock again");
        drop(of_the_child);
        assert!(matches!(FileLock::try_new(&path), Err(TryLockError::WouldBlock)));
        drop(again);
    }
}
