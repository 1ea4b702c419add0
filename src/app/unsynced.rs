//! Whether a read model can be trusted that is never synced while it is used.
//!
//! The kernel keeps what was written when the process dies, but in a power cut any
//! part of it may be lost, and sled does not notice each. So the directory has a
//! mark while it is in use, with the boot that it is used in: a mark of another boot
//! was left by a power cut, or something like it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::fs::{sync_all, sync_directory};

/// The name of the mark.
const MARK: &str = "in_use";
/// Where Linux tells one boot from another. Elsewhere each counts as another one.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// The mark of a directory; taken away when it is dropped, and all else closed.
#[derive(Debug)]
pub(super) struct InUse(PathBuf);

impl InUse {
    /// Marks the directory, creating it where there is none. The mark is durable on
    /// return, before anything changes.
    ///
    /// # Errors
    /// The mark cannot be written or synced.
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
            tracing::warn!(%error, "the read model could not be synced; a reboot rebuilds it");
        }
    }
}

/// Whether the directory has all that was written: it was closed in order, or
/// written in this boot.
pub(super) fn is_whole(directory: &Path) -> bool {
    match fs::read(directory.join(MARK)) {
        Ok(marked) => !marked.is_empty() && fs::read(BOOT).is_ok_and(|boot| boot == marked),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
