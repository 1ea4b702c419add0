//! Metrics, traces and logs. Knows nothing of what they are about.

pub mod logging;
pub mod metrics;
pub mod spans;
mod warn_limiter;

pub(crate) use self::warn_limiter::WarnLimiter;
