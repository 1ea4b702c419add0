//! A value that is read from files, and reread when they change.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::error::{ConnectError, error_chain};

/// A value that is read from files. Each use compares the files' metadata, which costs
/// one system call per file and needs neither a task nor a watch.
#[derive(Debug)]
pub(super) struct FileBacked<T> {
    state: Mutex<(Files, T)>,
}

/// Files, and their metadata when they were last read, successfully or not.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    read: Option<Vec<Stamp>>,
}

/// Metadata that differs after a file was changed or replaced, also through a link.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl<T: Clone> FileBacked<T> {
    /// Wraps a value that was read from the files after [`Files::at`].
    pub(super) const fn new(files: Files, value: T) -> Self {
        Self { state: Mutex::new((files, value)) }
    }

    /// Returns the value, after reading it again if the files changed. Files that are
    /// missing or invalid change nothing: they may be half written.
    pub(super) fn current(&self, read: impl FnOnce() -> Result<T, ConnectError>) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (files, value) = &mut *state;
        if files.has_changed() {
            match read() {
                Ok(new) => *value = new,
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::warn!(error, "cannot use the changed files; keeping the old values");
                }
            }
        }
        value.clone()
    }
}

impl Files {
    /// Takes the metadata of the files. Call it before reading them, so that a change in
    /// between is noticed later.
    pub(super) fn at(paths: Vec<PathBuf>) -> Self {
        let read = stamps(&paths).ok();
        Self { paths, read }
    }

    /// Whether all of them exist and one has changed.
    fn has_changed(&mut self) -> bool {
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
