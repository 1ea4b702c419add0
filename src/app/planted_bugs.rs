//! Bugs that are injected into the simulator's runs, to prove that it detects them. They
//! exist only in a build with `--cfg sim_bugs`, and are set per thread.

use std::cell::Cell;

/// A bug that can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlantedBug {
    /// A request ID is not looked up.
    RequestIdIgnored,
    /// Commands are answered before their batch is durable.
    EarlyAnswer,
    /// An unknown outcome is treated as a conflict.
    UnknownAsConflict,
    /// An unknown outcome is treated as if nothing was written.
    UnknownAsNotAppended,
    /// A read takes the answer to a question that was sent before it came.
    EarlierQuestion,
    /// A fork of the log is noticed, and nothing follows from that.
    ForkIgnored,
    /// A conflict is attributed to another writer, although an earlier append may have
    /// written the batch.
    OwnConflict,
    /// Refusals are answered without checking the end of the log.
    StaleRefusal,
    /// A watch skips the first event that is in memory.
    SkippedEvent,
}

thread_local! {
    static PLANTED: Cell<Option<PlantedBug>> = const { Cell::new(None) };
}

/// Sets the bug of this thread, or none.
pub fn plant(bug: Option<PlantedBug>) {
    PLANTED.set(bug);
}

impl PlantedBug {
    /// Whether it is set in this thread.
    pub(super) fn is_planted(self) -> bool {
        PLANTED.get() == Some(self)
    }
}
