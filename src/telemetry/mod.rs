//! Metrics, spans and the process log. Depends on no other room.

pub mod logging;
pub mod metrics;
pub mod spans;
mod text;
mod warn_limiter;

pub use self::text::{error_chain, panic_message};
pub(crate) use self::warn_limiter::WarnLimiter;
