//! The file that an export is written to: complete under its name, or not there.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::fs::{parent_directory, sync_directory};

use super::{compression::CompressedWriter, error::CliError};

/// A file that is written beside the one that it replaces, or standard output.
pub(super) struct ExportFile {
    pub(super) out: CompressedWriter<Box<dyn Write + Send>>,
    /// The file, unless it is written directly.
    replaced: Option<ReplacedFile>,
}

struct ReplacedFile {
    path: PathBuf,
    unfinished: PathBuf,
    file: File,
}

impl ExportFile {
    /// Creates the file beside `path`. A device or a pipe is written to directly, as is
    /// standard output, without a path.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path else {
            let stdout: Box<dyn Write + Send> = Box::new(io::stdout());
            return Ok(Self { out: CompressedWriter::new(None, stdout), replaced: None });
        };
        let is_replaced = path.is_file() || !path.exists();
        let opened = if is_replaced {
            let unfinished = path.with_added_extension("unfinished");
            create_private(&unfinished, path).map(|file| (unfinished, file))
        } else {
            let file = OpenOptions::new().write(true).open(path);
            file.map(|file| (path.to_owned(), file))
        };
        let (unfinished, file) = opened.map_err(|error| CliError::file(path, &error))?;
        let out: Box<dyn Write + Send> = Box::new(file.try_clone()?);
        let replaced =
            is_replaced.then(|| ReplacedFile { path: path.to_owned(), unfinished, file });
        Ok(Self { out: CompressedWriter::new(Some(path), out), replaced })
    }

    /// Ends the file and gives it its name, once it is on disk.
    pub(super) fn keep(self) -> Result<(), CliError> {
        let Self { out, replaced } = self;
        let kept = out.finish().and_then(|()| {
            let Some(ReplacedFile { path, unfinished, file }) = &replaced else { return Ok(()) };
            file.sync_all()?;
            check_same(file, unfinished)?;
            fs::rename(unfinished, path)?;
            sync_directory(parent_directory(path))
        });
        match (kept, replaced) {
            (Err(error), Some(replaced)) => {
                let path = replaced.path.clone();
                replaced.discard();
                Err(CliError::file(&path, &error))
            }
            (kept, _) => Ok(kept?),
        }
    }

    /// Removes the file; the one that it would have replaced stays.
    pub(super) fn discard(self) {
        if let Some(replaced) = self.replaced {
            replaced.discard();
        }
    }
}

impl ReplacedFile {
    fn discard(self) {
        // If this fails, the name of the file says that it is not finished.
        if check_same(&self.file, &self.unfinished).is_ok() {
            let _ = fs::remove_file(self.unfinished);
        }
    }
}

/// Creates a file with the permissions of the one that it replaces, and locks it. A new file is
/// private to its owner, because an export contains the whole log.
fn create_private(path: &Path, replaced: &Path) -> io::Result<File> {
    remove_abandoned(path)?;
    let replaced = replaced.metadata().ok();
    let mode = replaced.map_or(0o600, |replaced| replaced.permissions().mode());
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.try_lock()?;
    Ok(file)
}

/// Removes a file that another process left here, unless it still writes it. The file may belong
/// to another user, or be a link.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.is_file() && is_locked(path) => return Err(written_by_another(path)),
        Ok(_) | Err(_) => (),
    }
    fs::remove_file(path)
}

fn is_locked(path: &Path) -> bool {
    let locked = File::open(path).map(|file| file.try_lock());
    matches!(locked, Ok(Err(TryLockError::WouldBlock)))
}

/// Checks that no other process has replaced the file that this one wrote.
fn check_same(file: &File, path: &Path) -> io::Result<()> {
    let identity = |found: Metadata| (found.dev(), found.ino());
    let found = path.symlink_metadata().map(identity).ok();
    if found == Some(identity(file.metadata()?)) { Ok(()) } else { Err(written_by_another(path)) }
}

fn written_by_another(path: &Path) -> io::Error {
    io::Error::other(format!(
        "another process is writing {}; wait until it ends, or name another file",
        path.display()
    ))
}
