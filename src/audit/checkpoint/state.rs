//! What a checkpoint states.

use crate::{
    audit::merkle::TreeHead,
    event_log::{Hash, Head, LogId},
};

/// The end of a log, as a checkpoint states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogState {
    /// The last record.
    pub head: Head,
    /// The root of the Merkle tree of all records.
    pub root: Hash,
    /// The ID of the log; none while it is empty.
    pub log_id: Option<LogId>,
}

impl LogState {
    /// The tree.
    #[must_use]
    pub const fn tree(&self) -> TreeHead {
        TreeHead { size: self.head.position.0, root: self.root }
    }
}
