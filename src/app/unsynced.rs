//! Detects whether a read model, which is never synced while it is in use, can be trusted.
//!
//! Written data survives the end of the process, but a power cut may lose any part of it,
//! and sled does not always detect that. So the directory has a marker file while it is in
//! use, with the boot ID: a marker of another boot means that the machine went down.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::fs::{sync_all, sync_directory};

/// The name of the marker file.
const MARK: &str = "in_use";
/// The file with the boot ID on Linux. On other systems every marker counts as one of
/// another boot.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// The marker of a directory, which is removed on drop. Drop it after everything else.
#[derive(Debug)]
pub(super) struct InUse(PathBuf);

impl InUse {
    /// Creates the marker, and the directory if there is none. The marker is durable on
    /// return.
    ///
    /// # Errors
    /// The marker cannot be written or synced.
    pub(super) fn mark(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let mut mark = File::create(directory.join(MARK))?;
        mark.write_all(&fs::read(BOOT).unwrap_or_default())?;
        mark.sync_all()?;
        sync_directory(directory)?;
        Ok(Self(directory.to_owned()))
    }

    fn unmark(&self) -> io::Result<()> {
        sync_all(&self.0)?;
        fs::remove_file(self.0.join(MARK))?;
        sync_directory(&self.0)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Err(error) = self.unmark() {
            tracing::warn!(%error, "cannot sync the read model; it is rebuilt after a reboot");
        }
    }
}

/// Whether no write is lost: the directory was closed cleanly, or was used in this boot.
pub(super) fn is_whole(directory: &Path) -> bool {
    match fs::read(directory.join(MARK)) {
        Ok(marked) => !marked.is_empty() && fs::read(BOOT).is_ok_and(|boot| boot == marked),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
