//! A log that does not do what it says: the promises are then broken, and the simulation must
//! notice that.

use crate::{
    plan::Case,
    simulation::{Tampering, simulate},
};

/// What a log does once in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// It acknowledges an append, and writes nothing.
    LostAppend,
    /// It acknowledges a batch, and writes only its first record.
    TornBatch,
    /// It appends to its end, although that is not the expected one.
    UncheckedEnd,
    /// It loses its last record.
    LostEnd,
    /// It tells an end that it had before.
    OldEnd,
    /// It returns another record in the place of one that was written.
    OtherRecord,
    /// It leaves out a record.
    MissingRecord,
}

impl Lie {
    const ALL: [Self; 7] = [
        Self::LostAppend,
        Self::TornBatch,
        Self::UncheckedEnd,
        Self::LostEnd,
        Self::OldEnd,
        Self::OtherRecord,
        Self::MissingRecord,
    ];
}

#[test]
fn every_lie_of_the_log_is_found() {
    for lie in Lie::ALL {
        let mut cases = (0..crate::SEEDS.max(100)).map(Case::draw).zip(1_u64..);
        let lying = Tampering { lie: Some(lie) };
        let found = cases.find_map(|(case, seeds)| Some((simulate(&case, lying).err()?, seeds)));
        let (failure, seeds) = found.unwrap_or_else(|| unreachable!("{lie:?} was not found"));
        eprintln!("{lie:?}: {seeds} seeds: {}", failure.violation);
    }
}
