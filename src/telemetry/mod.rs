//! Metrics, spans and logs. Knows nothing of the code that uses them.

pub mod logging;
pub mod metrics;
pub mod spans;
mod text;
mod warn_limiter;

pub use self::text::{error_chain, panic_message};
pub(crate) use self::warn_limiter::WarnLimiter;
