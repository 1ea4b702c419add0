//! Detects changed files without reading them.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

/// The state of some files. It changes when one of them is written, replaced (also
/// through a link), removed, or given other permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileStamps(Vec<Option<FileStamp>>);

/// A file as the system identifies it, and when it last changed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl FileStamps {
    /// The current state of the files. Take it before reading them, so that a change in
    /// between is detected later.
    pub(crate) fn of(paths: &[impl AsRef<Path>]) -> Self {
        Self(paths.iter().map(|path| FileStamp::of(path.as_ref()).ok()).collect())
    }
}

impl FileStamp {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
            length: file.len(),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}
