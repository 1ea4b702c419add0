//! Where user pools are, as far as that is remembered: a place of fixed size for each
//! of so many, in which the last one that was looked for takes the place of another.
//! At worst it is one that is not there, so what is found has to be looked at.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// How many are remembered, in 16 MiB.
const SLOTS: usize = 1 << 21;
/// How many bits of a slot are a position; the others tell most IDs apart.
const POSITION: u32 = 40;

/// The positions of the creation of user pools, by the hash of their IDs.
#[derive(Debug)]
pub(super) struct Places {
    hash: RandomState,
    slots: Box<[AtomicU64]>,
}

impl Default for Places {
    fn default() -> Self {
        let slots = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        #[expect(clippy::disallowed_methods, reason = "a read model in memory has none")]
        let hash = RandomState::new();
        Self { hash, slots }
    }
}

impl Places {
    /// Where the user pool with this ID may be.
    pub(super) fn guess(&self, id: &str) -> Option<u64> {
        let (slot, sign) = self.slot(id)?;
        let place = slot.load(Ordering::Relaxed) ^ sign;
        (place >> POSITION == 0).then_some(place)
    }

    /// Remembers where it is.
    pub(super) fn note(&self, id: &str, created: u64) {
        if let Some((slot, sign)) = self.slot(id)
            && created >> POSITION == 0
        {
            slot.store(created ^ sign, Ordering::Relaxed);
        }
    }

    /// The slot of an ID, and what its positions are signed with: bits above theirs.
    fn slot(&self, id: &str) -> Option<(&AtomicU64, u64)> {
        let hash = self.hash.hash_one(id);
        let number = usize::try_from(hash).unwrap_or_default() % SLOTS;
        // The lowest of those bits is set, so that no slot is empty and signed.
        let sign = ((hash >> POSITION) | 1) << POSITION;
        Some((self.slots.get(number)?, sign))
    }
}
