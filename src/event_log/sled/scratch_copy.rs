//! A scratch copy of a database, to see whether sled can open the original.
//!
//! sled repairs what it opens: from the first part that it cannot read, it overwrites
//! the rest with zeros as free space. So one flipped bit erases every later record
//! without an error. This module opens and checks a copy first, and the original only
//! when the copy passes. A rejected database stays as it was found. A copy that an
//! earlier process left behind is removed, and never used.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::fs::directory_size;

/// Larger databases are not copied, because a start must not take minutes.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// A copy of a database. Removed when it is dropped.
#[derive(Debug)]
pub(super) struct ScratchCopy(PathBuf);

impl ScratchCopy {
    /// Copies the database in `path`. Returns `None` when the database is too large
    /// or the disk has no space for the copy.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let copy = Self(path.with_extension("scratch"));
        if copy.0.exists() {
            fs::remove_dir_all(&copy.0)?;
        }
        let copied = if directory_size(path)? > MAX_BYTES {
            Err(io::ErrorKind::FileTooLarge.into())
        } else {
            // A file system with clones makes this cheap.
            copy_directory(path, &copy.0)
        };
        match copied {
            Ok(()) => Ok(Some(copy)),
            Err(error) if is_lack_of_space(&error) => {
                tracing::warn!(%error, "cannot check a copy of the log; opening the log without this check");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchCopy {
    fn drop(&mut self) {
        if self.0.exists()
            && let Err(error) = fs::remove_dir_all(&self.0)
        {
            // The next open removes it.
            tracing::warn!(%error, path = %self.0.display(), "cannot remove the copy of the log");
        }
    }
}

fn is_lack_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::FileTooLarge | io::ErrorKind::StorageFull)
}

fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
