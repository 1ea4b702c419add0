//! The result of a command.

use bytes::Bytes;

use super::stored::EncodedPool;

/// The result of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The user pool after the command, encoded; the last state of a deleted one.
    pub user_pool: Bytes,
    /// Its revision.
    pub revision: i64,
    /// The position of its last event; 0 if the command was only validated.
    pub position: i64,
    /// Whether the command changed it, or would have, if it was only validated.
    pub changed: bool,
}

impl Outcome {
    pub(super) fn new(pool: EncodedPool, changed: bool) -> Self {
        let EncodedPool { user_pool, revision, position, .. } = pool;
        Self { user_pool: user_pool.unwrap_or_default(), revision, position, changed }
    }
}
