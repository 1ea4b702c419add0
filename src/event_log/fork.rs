//! A fork: the log no longer has what it had.

use std::fmt;

use super::Head;

/// The log no longer has a record that it had: its end is lost, or another record is in the
/// place. A database that lost its last commits in a failover, or that was restored from a
/// backup, can cause this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Fork {
    /// The end of the log as it was.
    pub known: Head,
    /// What the log has at that position, or its end if that is before.
    pub found: Head,
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { known, found } = self;
        if found.position < known.position {
            write!(f, "the log had {known}, but now ends at {found}")
        } else {
            write!(f, "the log had {known}, but now has {found}")
        }
    }
}
