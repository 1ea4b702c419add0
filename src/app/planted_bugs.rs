//! Bugs that are injected into the simulator's runs, to prove that it detects them, and branches
//! that it must reach. They exist only in a build with `--cfg sim_bugs`, and are kept per thread.

use std::{
    cell::{Cell, RefCell},
    mem,
};

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
    /// A read does not ask for the end of the log.
    StaleRead,
    /// A batch of unknown outcome is acknowledged before it is durable.
    AcknowledgedNotDurable,
    /// A strict read believes an end of the log that may be that of a former primary.
    FormerPrimary,
    /// A read of the history reports a fork as damage.
    ForkAsDamage,
}

/// A branch that only some simulations reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Branch {
    /// A batch of unknown outcome was found in the log.
    ResolvedAsOwn,
    /// A record of another writer was found in the place of such a batch.
    ResolvedAsOther,
    /// Commands were decided again, because another writer was first.
    DecidedAgain,
    /// A request was repeated within its batch.
    RepeatedFromBatch,
    /// A request was repeated after its batch.
    RepeatedFromLog,
    /// A watch took events from memory.
    WatchedMemory,
    /// A watch took events from the log.
    WatchedLog,
    /// A watch took events from memory after others from the log.
    WatchedOverSeam,
}

impl Branch {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ResolvedAsOwn,
        Self::ResolvedAsOther,
        Self::DecidedAgain,
        Self::RepeatedFromBatch,
        Self::RepeatedFromLog,
        Self::WatchedMemory,
        Self::WatchedLog,
        Self::WatchedOverSeam,
    ];

    pub(super) fn reach(self) {
        REACHED.with_borrow_mut(|reached| reached.push(self));
    }
}

/// Where a watch took its last events from.
#[derive(Debug, Default)]
pub(super) struct Watched {
    is_log: bool,
}

impl Watched {
    pub(super) fn reach(&mut self, is_memory: bool) {
        let before = mem::replace(&mut self.is_log, !is_memory);
        match (before, is_memory) {
            (_, false) => Branch::WatchedLog.reach(),
            (true, true) => Branch::WatchedOverSeam.reach(),
            (false, true) => Branch::WatchedMemory.reach(),
        }
    }
}

thread_local! {
    static PLANTED: Cell<Option<PlantedBug>> = const { Cell::new(None) };
    static REACHED: RefCell<Vec<Branch>> = const { RefCell::new(Vec::new()) };
}

/// The branches that this thread has reached since the last call.
#[must_use]
pub fn take_reached() -> Vec<Branch> {
    REACHED.with_borrow_mut(mem::take)
}

/// Sets the bug of this thread, or none.
pub fn plant(bug: Option<PlantedBug>) {
    PLANTED.set(bug);
}

impl PlantedBug {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::RequestIdIgnored,
        Self::EarlyAnswer,
        Self::UnknownAsConflict,
        Self::UnknownAsNotAppended,
        Self::EarlierQuestion,
        Self::ForkIgnored,
        Self::OwnConflict,
        Self::StaleRefusal,
        Self::SkippedEvent,
        Self::StaleRead,
        Self::AcknowledgedNotDurable,
        Self::FormerPrimary,
        Self::ForkAsDamage,
    ];

    /// Whether it is set in this thread.
    pub(super) fn is_planted(self) -> bool {
        PLANTED.get() == Some(self)
    }
}
