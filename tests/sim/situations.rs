//! Situations that only some simulations meet. A run of many must meet each of them;
//! otherwise the simulator no longer tests it.

use std::collections::BTreeMap;

#[cfg(sim_bugs)]
use userpool::app::planted_bugs::Branch;

/// A situation that a promise is easily broken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Situation {
    /// An append never arrived.
    LostAppend,
    /// An append was written, and no answer came.
    SilentAppend,
    /// An append was written after its outcome was reported as unknown.
    LateAppend,
    /// An append of another node was first.
    Conflict,
    /// A node appended the same batch again, because the outcome was unknown.
    AppendedAgain,
    /// It was then in conflict with itself: its earlier append had arrived.
    ConflictWithItself,
    /// The batch was then written by the later append.
    WrittenByRetry,
    /// A node died after its append was written, and before it could answer.
    CrashBeforeAnswer,
    /// A node could not read the log when it started.
    FailedStart,
    /// A watch went on after a position, with another connection.
    ResumedWatch,
    /// A connection was lost under a watch.
    BrokenWatch,
    /// A node got the turn to append of another one that was too slow.
    LostTurn,
    /// A node stopped while calls were running.
    StoppedUnderLoad,
    /// A request to the log waited for an answer, because the log was silent.
    SilentLog,
    /// A former primary, which knew less, told the end of the log.
    FormerPrimary,
    /// A creation was refused, because there were as many user pools as allowed.
    LimitReached,
    /// A branch of the code.
    #[cfg(sim_bugs)]
    Reached(Branch),
}

impl Situation {
    const ALL: [Self; 16] = [
        Self::LostAppend,
        Self::SilentAppend,
        Self::LateAppend,
        Self::Conflict,
        Self::AppendedAgain,
        Self::ConflictWithItself,
        Self::WrittenByRetry,
        Self::CrashBeforeAnswer,
        Self::FailedStart,
        Self::ResumedWatch,
        Self::BrokenWatch,
        Self::LostTurn,
        Self::StoppedUnderLoad,
        Self::SilentLog,
        Self::FormerPrimary,
        Self::LimitReached,
    ];

    fn all() -> impl Iterator<Item = Self> {
        // A request is repeated within its batch only if a client sends it twice at once.
        #[cfg(sim_bugs)]
        let reached = |branch: &Branch| *branch != Branch::RepeatedFromBatch;
        #[cfg(sim_bugs)]
        let branches = Branch::ALL.into_iter().filter(reached).map(Self::Reached);
        #[cfg(not(sim_bugs))]
        let branches = [];
        Self::ALL.into_iter().chain(branches)
    }
}

/// How often each situation was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Met(BTreeMap<Situation, usize>);

impl Met {
    pub(crate) fn count(&mut self, situation: Situation) {
        *self.0.entry(situation).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (situation, count) in &other.0 {
            *self.0.entry(*situation).or_default() += count;
        }
    }

    /// Each situation with how often it was met.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Situation, usize)> {
        let count = |situation| self.0.get(&situation).copied().unwrap_or_default();
        Situation::all().map(move |situation| (situation, count(situation)))
    }

    /// The situations that were not met.
    #[cfg(all(tokio_unstable, sim_bugs))]
    pub(crate) fn missing(&self) -> Vec<Situation> {
        self.counts().filter(|(_, count)| *count == 0).map(|(situation, _)| situation).collect()
    }
}
