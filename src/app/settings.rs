//! The settings of the application.

use crate::{
    telemetry::{metrics::AppMetrics, spans::Tracer},
    user_pool::Limits,
};

use super::ClockSettings;

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
    /// The metrics of the application.
    pub metrics: AppMetrics,
    /// Records the spans of appends.
    pub tracer: Tracer,
}
