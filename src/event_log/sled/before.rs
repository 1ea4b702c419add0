//! The database as it was before it was opened.
//!
//! sled repairs what it opens: from the first thing on that it cannot read, it
//! fills what it takes for free with zeros. One flipped bit, and every later record
//! is gone from the disk, though nobody was told. So a copy is made first, and put
//! back where the opening is refused; what is refused stays as it was found.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::files::{is_released, sync_all};

/// Larger databases are not copied: a start must not take minutes.
const BYTES: u64 = 1024 * 1024 * 1024;

/// A copy of a database.
#[derive(Debug)]
#[must_use = "it is either put back or forgotten"]
pub(super) struct Before {
    path: PathBuf,
    /// Nothing where there is no room for one.
    copy: Option<PathBuf>,
}

impl Before {
    /// Copies the database in `path`; nothing where somebody has it open. Where an
    /// opening was interrupted, what was before it is put back first.
    ///
    /// # Errors
    /// The database cannot be copied.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        if !is_closed(path)? {
            return Ok(None);
        }
        let copy = path.with_extension("before");
        let unfinished = path.with_extension("copying");
        if copy.exists() {
            put_back(&copy, path)?;
        }
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir_all(path)?;
        let copied = if size(path)? > BYTES {
            Err(io::ErrorKind::FileTooLarge.into())
        } else {
            // Where the file system can, this is a clone, and costs nothing.
            copy_directory(path, &unfinished)
        };
        // A copy that a power cut tore must not be put back.
        match copied.and_then(|()| sync_all(&unfinished)) {
            Ok(()) => {
                fs::rename(&unfinished, &copy)?;
                Ok(Some(Self { path: path.to_owned(), copy: Some(copy) }))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::FileTooLarge | io::ErrorKind::StorageFull
                ) =>
            {
                tracing::warn!(%error, "no copy of the log is made before sled opens it");
                if unfinished.exists() {
                    fs::remove_dir_all(&unfinished)?;
                }
                Ok(Some(Self { path: path.to_owned(), copy: None }))
            }
            Err(error) => Err(error),
        }
    }

    /// The opening was refused: the database is what it was.
    pub(super) fn put_back(self) {
        if let Some(copy) = self.copy
            && let Err(error) = put_back(&copy, &self.path)
        {
            // The next opening does it.
            tracing::warn!(%error, "the log cannot be put back as it was found");
        }
    }

    /// The opening succeeded.
    ///
    /// # Errors
    /// The copy cannot be removed, so the next opening would take it for the log.
    pub(super) fn forget(self) -> io::Result<()> {
        let Some(copy) = self.copy else { return Ok(()) };
        // In one step: half of a copy must never be put back.
        let unfinished = self.path.with_extension("copying");
        fs::rename(&copy, &unfinished)?;
        fs::remove_dir_all(unfinished)
    }
}

/// Whether nobody has the database in `path` open, as far as its lock tells.
fn is_closed(path: &Path) -> io::Result<bool> {
    match File::open(path.join("db")) {
        Ok(file) => Ok(is_released(&file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn put_back(copy: &Path, path: &Path) -> io::Result<()> {
    if !is_closed(path)? {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    if path.exists() {
        fs::remove_dir_all(path)?;
    }
    fs::rename(copy, path)
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
