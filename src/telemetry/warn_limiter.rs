//! Warnings that do not flood the log.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How often there is a warning of one kind of trouble.
const WARN_EVERY: Duration = Duration::from_mins(1);

/// When one kind of trouble was last warned of.
#[derive(Debug, Default)]
pub(crate) struct WarnLimiter(Mutex<Option<Instant>>);

impl WarnLimiter {
    /// Whether to warn now; not again within a minute.
    pub(crate) fn allow(&self) -> bool {
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = warned.is_none_or(|last| last.elapsed() >= WARN_EVERY);
        if allowed {
            *warned = Some(Instant::now());
        }
        allowed
    }
}
