//! Limits the rate of warnings.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long after a warning the next one is logged at the earliest.
const WARN_INTERVAL: Duration = Duration::from_mins(1);

/// Limits one kind of warning.
#[derive(Debug, Default)]
pub(crate) struct WarnLimiter(Mutex<Option<Instant>>);

impl WarnLimiter {
    /// Whether to warn now. Returns true at most once a minute.
    pub(crate) fn allow(&self) -> bool {
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = warned.is_none_or(|last| last.elapsed() >= WARN_INTERVAL);
        if allowed {
            *warned = Some(Instant::now());
        }
        allowed
    }
}
