//! A copy of a database, to try on it what sled would make of the original.
//!
//! sled repairs what it opens: from the first thing on that it cannot read, it
//! fills what it takes for free with zeros. One flipped bit, and every later record
//! is gone from the disk, though nobody was told. So a copy is opened and checked
//! first, and the original only where the copy is right; what is refused stays as it
//! was found. A copy that was left behind is thrown away, and never put back.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Larger databases are not tried: a start must not take minutes.
const BYTES: u64 = 1024 * 1024 * 1024;

/// A copy, which goes when it is dropped.
#[derive(Debug)]
pub(super) struct Trial(PathBuf);

impl Trial {
    /// Copies the database in `path`; nothing where there is no room for a copy.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let copy = path.with_extension("trial");
        if copy.exists() {
            fs::remove_dir_all(&copy)?;
        }
        let trial = Self(copy);
        let copied = if size(path)? > BYTES {
            Err(io::ErrorKind::FileTooLarge.into())
        } else {
            // Where the file system can, this is a clone, and costs nothing.
            copy_directory(path, &trial.0)
        };
        match copied {
            Ok(()) => Ok(Some(trial)),
            Err(error) if is_lack_of_room(&error) => {
                tracing::warn!(%error, "the log is opened without a trial on a copy of it");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if self.0.exists()
            && let Err(error) = fs::remove_dir_all(&self.0)
        {
            // The next opening does it.
            tracing::warn!(%error, path = %self.0.display(), "a copy cannot be removed");
        }
    }
}

fn is_lack_of_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::FileTooLarge | io::ErrorKind::StorageFull)
}

fn size(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let size = if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
        bytes = bytes.saturating_add(size);
    }
    Ok(bytes)
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
