//! The witness of a log that servers share: a file beside the read model with the last event that
//! this server has seen. Unlike the read model it is never built again, so it notices a log that
//! lost its end even if the read model is lost as well.

use std::{
    io,
    path::Path,
    sync::{Mutex, PoisonError},
};

use crate::{
    event_log::{Head, Witness},
    telemetry::WarnLimiter,
};

/// The file.
#[derive(Debug)]
pub(super) struct WitnessFile {
    witness: Mutex<Witness>,
    warnings: WarnLimiter,
}

impl WitnessFile {
    /// Opens or creates the file, and returns the head in it.
    ///
    /// # Errors
    /// It cannot be opened, created or read.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Head)> {
        let (witness, head) = Witness::open(path)?;
        Ok((Self { witness: Mutex::new(witness), warnings: WarnLimiter::default() }, head))
    }

    /// Records the last event that this server has seen.
    pub(super) fn record(&self, head: Head) {
        let mut witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = witness.record(head)
            && self.warnings.allow()
        {
            tracing::warn!(%error, "cannot write the witness; a log that loses its end may not be noticed");
        }
    }
}
