//! The last event that this server has seen of a log that servers share: a file beside the read
//! model. Unlike the read model it is never built again, so it shows that the log has lost its end
//! even if the read model is lost as well.

use std::{
    io,
    path::Path,
    sync::{Mutex, PoisonError},
};

use crate::{
    event_log::{Head, HeadFile},
    telemetry::WarnLimiter,
};

/// The file.
#[derive(Debug)]
pub(super) struct SeenHead {
    file: Mutex<HeadFile>,
    warnings: WarnLimiter,
}

impl SeenHead {
    /// Opens or creates the file, and returns the head in it.
    ///
    /// # Errors
    /// It cannot be opened, created or read.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Head)> {
        let (file, head) = HeadFile::open(path)?;
        Ok((Self { file: Mutex::new(file), warnings: WarnLimiter::default() }, head))
    }

    /// Records the last event that this server has seen.
    pub(super) fn record(&self, head: Head) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.record(head)
            && self.warnings.allow()
        {
            tracing::warn!(
                %error,
                "cannot record the last event that was seen; a log that loses its end may not be noticed"
            );
        }
    }
}

impl Drop for SeenHead {
    fn drop(&mut self) {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.sync() {
            tracing::warn!(%error, "cannot sync the last event that was seen");
        }
    }
}
