//! What was made of files, until they change.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use crate::telemetry;

use super::ConnectError;

/// Something made of files. They are looked at whenever it is used, which costs a
/// question to the system each, and needs nobody to watch over them.
#[derive(Debug)]
pub(super) struct Kept<T> {
    state: Mutex<(Files, T)>,
}

/// Files, and what they were when they were last read, whether that was of use or not.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    read: Option<Vec<Stamp>>,
}

/// What is not the same when a file was changed or replaced, also behind a link.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl<T: Clone> Kept<T> {
    /// What was made of the files after they were looked at.
    pub(super) const fn new(files: Files, value: T) -> Self {
        Self { state: Mutex::new((files, value)) }
    }

    /// What it is now. Files that are gone, or of no use, change nothing: they may be
    /// half written.
    pub(super) fn current(&self, read: impl FnOnce() -> Result<T, ConnectError>) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (files, value) = &mut *state;
        if files.changed() {
            match read() {
                Ok(new) => *value = new,
                Err(error) => {
                    let error = telemetry::error_chain(&error);
                    tracing::warn!(error, "changed files are of no use; going on with what was");
                }
            }
        }
        value.clone()
    }
}

impl Files {
    /// The files as they are now. To be called before they are read, so that a change
    /// in the meantime is noticed later.
    pub(super) fn at(paths: Vec<PathBuf>) -> Self {
        let read = stamps(&paths).ok();
        Self { paths, read }
    }

    /// Whether they are all there, and not as they were.
    fn changed(&mut self) -> bool {
        if self.paths.is_empty() {
            return false;
        }
        match stamps(&self.paths) {
            Ok(stamps) if self.read.as_ref() != Some(&stamps) => {
                self.read = Some(stamps);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }
}

fn stamps(paths: &[PathBuf]) -> io::Result<Vec<Stamp>> {
    paths.iter().map(|path| fs::metadata(path).map(|file| Stamp::of(&file))).collect()
}

impl Stamp {
    fn of(file: &fs::Metadata) -> Self {
        Self {
            file: (file.dev(), file.ino()),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
        }
    }
}
