//! Bugs that the simulator plants, to prove that it finds them. Only a build with
//! `--cfg sim_bugs` has them, and each thread plants its own.

use std::cell::Cell;

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlantedBug {
    /// A request ID is not looked up.
    RequestIdIgnored,
    /// Commands are answered before their batch is durable.
    EarlyAnswer,
    /// An unknown outcome is taken for a conflict.
    UnknownAsConflict,
    /// A conflict is taken for another writer's, though the batch may have been written by
    /// an append before.
    OwnConflict,
    /// Refusals are answered without a look at the end of the log.
    StaleRefusal,
    /// A watch skips the first event that is kept in memory.
    SkippedEvent,
}

thread_local! {
    static PLANTED: Cell<Option<PlantedBug>> = const { Cell::new(None) };
}

/// Plants a bug in this thread, or none.
pub fn plant(bug: Option<PlantedBug>) {
    PLANTED.set(bug);
}

impl PlantedBug {
    /// Whether it is planted.
    pub(super) fn is_planted(self) -> bool {
        PLANTED.get() == Some(self)
    }
}
