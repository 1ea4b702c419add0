//! What is recorded of a call next to its change.

use crate::proto::Actor;

/// The longest correlation ID, in bytes.
pub(super) const MAX_CORRELATION_ID_BYTES: usize = 128;

/// Whether a text can be a correlation ID: visible ASCII characters, which can be logged.
#[must_use]
pub fn is_correlation_id(text: &str) -> bool {
    (1..=MAX_CORRELATION_ID_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The caller and the request, which are recorded with an event next to its payload.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The caller.
    pub actor: Actor,
    /// Links the request to logs and traces.
    pub correlation_id: String,
    /// The W3C trace that the request is part of.
    pub traceparent: Option<String>,
    /// SHA-256 of the request, which distinguishes a retry from a different request with
    /// the same ID. Zeros if the request has no ID.
    pub fingerprint: [u8; 32],
}
