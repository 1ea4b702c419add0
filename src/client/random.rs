//! Randomness: the IDs of requests and of calls, and the jitter of retries.

use uuid::Uuid;

/// Creates a `request_id` or a correlation ID.
#[expect(clippy::disallowed_methods, reason = "the client has no access to `app::Source`")]
pub(super) fn id() -> String {
    Uuid::now_v7().to_string()
}

/// Returns a number from 0 to 1.
#[expect(clippy::disallowed_methods, reason = "the client has no access to `app::Source`")]
pub(super) fn jitter() -> f64 {
    let low = Uuid::new_v4().as_u128() & u128::from(u32::MAX);
    u32::try_from(low).map_or(0.0, |low| f64::from(low) / f64::from(u32::MAX))
}
