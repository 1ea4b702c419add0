//! Files: atomic writes, locks, private permissions, sizes, syncs and reloading. Knows nothing
//! of their contents.

mod lock;
pub(crate) mod reload;
mod reverse_lines;
mod stamp;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

pub(crate) use self::{lock::FileLock, reverse_lines::ReverseLines};

/// Replaces the contents of a file, or creates it with this mode. After a crash the
/// file has either all of the new contents or all of the old.
pub(crate) fn write_atomic(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let temporary = path.with_added_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_directory(parent_directory(path))
}

/// The contents of a file, or `None` if it does not exist.
pub(crate) fn read_optional(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The mode of a file or directory if users other than its owner and its group have
/// access. The group may: Kubernetes gives secrets and volumes to a group.
pub(crate) fn public_mode(path: &Path) -> io::Result<Option<u32>> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    Ok(Some(mode).filter(|mode| mode & 0o007 != 0))
}

/// The bytes in the files of a directory; 0 if there is no directory.
pub(crate) fn directory_size(path: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut size = 0_u64;
    for entry in entries {
        let entry = entry?;
        let entry_size = match entry.metadata() {
            Ok(file) if file.is_dir() => directory_size(&entry.path())?,
            Ok(file) => file.len(),
            // Removed since the directory was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        size = size.saturating_add(entry_size);
    }
    Ok(size)
}

/// Syncs the files in a directory and the directory itself.
pub(crate) fn sync_all(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_directory(path)
}

/// Syncs the entries of a directory, but not the files.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The directory that a file is in.
pub(crate) fn parent_directory(file: &Path) -> &Path {
    file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
