//! The settings of the application.

use std::time::Duration;

use crate::{
    telemetry::{metrics::AppMetrics, spans::Tracer},
    user_pool::Limits,
};

use super::ClockSettings;

/// What reads show that have no `min_position`, if servers share the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadMode {
    /// Every change that any server acknowledged before the read, as long as the log has one
    /// writable copy.
    #[default]
    Latest,
    /// The same, even if the log has two writable copies by mistake.
    Strict,
    /// What this server has.
    Local,
}

/// The settings of reads. Without effect if this server has the log for itself: then every read
/// shows every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadSettings {
    /// What reads show.
    pub mode: ReadMode,
    /// How long ago the log was heard of at most when a read of [`ReadMode::Local`] is answered.
    pub max_staleness: Duration,
}

impl Default for ReadSettings {
    /// The latest changes; local reads end 5 seconds after the last contact.
    fn default() -> Self {
        Self { mode: ReadMode::Latest, max_staleness: Duration::from_secs(5) }
    }
}

/// The settings of the application.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The prefix of user pool IDs.
    pub region: String,
    /// The limits of user pools.
    pub limits: Limits,
    /// How many bytes of the read model are cached in memory, approximately.
    pub cache: u64,
    /// What to do about a clock that jumps ahead.
    pub clock: ClockSettings,
    /// What reads show, if servers share the log.
    pub reads: ReadSettings,
    /// The metrics of the application.
    pub metrics: AppMetrics,
    /// Records the spans of appends.
    pub tracer: Tracer,
}
